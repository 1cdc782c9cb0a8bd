"""`sentiment`: what an operator tries texts with."""

import json

import pytest

from hub.store.database import Database
from scoring import texts
from scoring.sentiment.learned import State
from tests.cli.test_wrong_use import sentence
from tests.engines import url

ANGRY = "The export is broken again and nobody answers."


def test_texts_are_read_where_there_is_no_installation_and_none_is_made(run, tmp_path):
    done = run(tmp_path / "data", "sentiment", ANGRY, "Alles läuft einwandfrei, danke!")
    assert done.returncode == 0, done.stderr
    angry, content = done.stdout.splitlines()[1:3]
    assert (angry.split()[:2], content.split()[:2]) == (["en", "outage"], ["de", "praise"])
    assert "by their words alone" in done.stdout
    assert not (tmp_path / "data").exists()


def test_a_file_is_read_line_by_line_as_json(run, tmp_path):
    file = tmp_path / "said.txt"
    file.write_bytes(b"Merci, tout marche.\n\n> quoted\n" + b"\xff\xfe broken\n")
    told = json.loads(run(tmp_path / "data", "sentiment", "--file", file, "--json").stdout)
    assert told["labels"] == 0
    assert [one["intent"] for one in told["texts"]] == ["praise", None, "outage"]
    assert set(told["texts"][0]) == {"text", "language", "language_confidence", "intent", "polarity", "confidence"}


def test_texts_come_from_standard_input(run, tmp_path, monkeypatch):
    class Piped:
        class buffer:  # noqa: N801 - as sys.stdin calls it
            @staticmethod
            def read():
                return b"Nobody answers.\n"

    monkeypatch.setattr("hub.cli.sentiment.sys.stdin", Piped)
    told = json.loads(run(tmp_path / "data", "sentiment", "--file", "-", "--json").stdout)
    assert [one["text"] for one in told["texts"]] == ["Nobody answers."]


@pytest.mark.parametrize("words_only", [False, True])
def test_what_the_installation_learned_is_used_unless_one_asks_for_the_words_alone(run, tmp_path, words_only):
    data = tmp_path / "data"
    run(data, "migrate")
    with Database(url(data)) as database:
        database.write(lambda connection: texts.keep(connection, texts.Mark(1, 1), State(labels=40.0))).result()
    told = json.loads(run(data, "sentiment", ANGRY, "--json", *(["--words-only"] if words_only else [])).stdout)
    assert told["labels"] == (0.0 if words_only else 40.0)


def test_nothing_to_read_and_a_file_that_is_not_there_are_said_in_a_sentence(run, tmp_path):
    sentence(run(tmp_path / "data", "sentiment"), 2, "nothing to read")
    sentence(run(tmp_path / "data", "sentiment", "--file", tmp_path / "none"), 2, "cannot read")


def test_a_text_cannot_steer_the_terminal(run, tmp_path):
    done = run(tmp_path / "data", "sentiment", "\x1b[31mbroken[/b]")
    assert "\x1b" not in done.stdout
    assert "[/b]" in done.stdout
