"""What the documentation tells people to type exists."""

import re

import pytest
import typer

from hub.cli.app import app
from tests.docs.pages import PAGES, ROOT, commands, name_of

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def wrong_with(words):
    """Why this command cannot be given, or None."""
    name, *rest = words
    if name == "make":
        missing = [word for word in rest if word not in TARGETS]
        return f"no target {missing[0]}" if missing else None
    command = typer.main.get_command(app)
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            options = {name: one for one in command.params for name in one.opts}
            if word == "--help":
                continue
            if word not in options:
                return f"{command.name} has no option {word}"
            if not options[word].is_flag:
                rest = rest[1:]
        elif hasattr(command, "get_command"):
            below = command.get_command(None, word)
            if below is None:
                return f"{command.name} has no command {word}"
            command = below
        elif not any(one.param_type_name == "argument" for one in command.params):
            return f"{command.name} takes no argument {word}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_the_docs_and_their_options_exist(page):
    wrong = {" ".join(words): why for words in commands(page) if (why := wrong_with(words))}
    assert wrong == {}


def test_a_command_that_is_not_there_would_be_noticed():
    assert wrong_with(["pulsehub", "upp"])
    assert wrong_with(["pulsehub", "up", "--prot", "1"])
    assert wrong_with(["pulsehub", "doctor", "now"])
    assert wrong_with(["pulsehub", "deadletters", "revive"])
    assert wrong_with(["make", "coffee"])


def test_the_pages_are_read_for_commands():
    told = [" ".join(words) for page in PAGES for words in commands(page)]
    for command in ("make demo", "make test", "pulsehub up", "pulsehub doctor", "pulsehub deadletters replay --all"):
        assert command in told, command


def test_every_command_is_told_somewhere_in_the_docs():
    told = {words[1] for page in PAGES for words in commands(page) if words[0] == "pulsehub" and len(words) > 1}
    assert set(typer.main.get_command(app).list_commands(None)) - told == set()
