import logging
import os
import subprocess
import sys
from types import SimpleNamespace

import httpx
import pytest

from hub.cli import main
from tests.e2e.kit import environment, up
from tests.e2e.stage import world
from tests.web.conftest import browser  # noqa: F401 - a fixture, the same chromium


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    """A hub among its vendors, which nobody stops: for tests that only add to what it knows."""
    data = tmp_path_factory.mktemp("hub") / "data"
    with (
        world() as around,
        up(data, around.settings) as running,
        httpx.Client(base_url=running.url, timeout=30) as api,
    ):
        yield SimpleNamespace(url=running.url, data=data, world=around, api=api, said=running.said)


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run a command in this process: quicker than in one of its own, where that makes no difference."""
    handlers, level = logging.root.handlers[:], logging.root.level

    def command(folder, *arguments, settings=None):
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            for name in [name for name in os.environ if name.startswith("PULSEHUB_")]:
                patch.delenv(name)
            for name, value in environment(folder, settings).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["pulsehub", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                main()
        told = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, ended.value.code or 0, told.out, told.err)

    yield command
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
