"""`pulsehub --help` lists what commands say of themselves, and loads none of them for that."""

import subprocess
import sys

import pytest
import typer

from hub.cli.app import COMMANDS, app
from hub.cli.summaries import summary


@pytest.mark.parametrize("command", COMMANDS)
def test_a_summary_is_what_the_command_says(command):
    module, _, name = COMMANDS[command].partition(":")
    said = typer.main.get_command(app).get_command(None, command).help
    assert said
    assert summary(module, name) == said


def test_a_list_of_commands_loads_none():
    lists = "import sys\nfrom hub.cli.app import app\ntry: app(['--help'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", lists], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "hub.cli.app" in loaded
    assert not loaded & {place.partition(":")[0] for place in COMMANDS.values()}


def test_who_merges_two_customers_needs_no_pages():
    merging = "import sys, hub.cli.merging, hub.cli.letters, hub.cli.overriding; print('fastapi' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", merging], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
