"""A database that goes away under a command."""

import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

import hub.cli


def test_a_command_whose_database_goes_away_says_so_in_one_sentence(monkeypatch, capsys):
    def fail(**_):
        raise OperationalError("select secret", {}, sqlite3.OperationalError("disk I/O error"))

    monkeypatch.setattr(hub.cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        hub.cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert "the database failed: disk I/O error." in " ".join(said.split())
    assert "secret" not in said


def test_what_is_no_fault_of_the_database_is_a_mistake_of_ours_and_is_told_whole(monkeypatch):
    def fail(**_):
        raise KeyError("ours")

    monkeypatch.setattr(hub.cli, "app", fail)
    with pytest.raises(KeyError):
        hub.cli.main()
