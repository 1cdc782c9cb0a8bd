"""Databases for tests, on every engine there is: the same tests hold on all.

A test (or a module, by `pytestmark`) that uses the fixture `engine` runs once on each; `url(folder)` is then the
database of that folder: a file in it, or one on the server that `make servers` started. There each process of the
suite has databases of its own, emptied and used again: that takes milliseconds, a new one a fifth of a second.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from hub.store import schema
from hub.store.database import Database

ENGINES = ("sqlite", "postgresql")
VARIABLE = "PULSEHUB_TEST_DATABASE"
_free: list[str] = []  # databases of this process on the server, with tables and nothing in them
_made: list[str] = []
_held: dict[Path, str] = {}  # by folder and name, the server's databases of the test that runs
_now = ["sqlite"]


@pytest.fixture(params=ENGINES)
def engine(request) -> Iterator[str]:
    """Its name; where there is no server the test is skipped for it."""
    with on(request.param):
        yield request.param


@contextmanager
def on(engine: str) -> Iterator[None]:
    """Have `url` mean that engine until the end; the test is skipped where there is no server for it."""
    if engine == "postgresql":
        need()
    _now[0] = engine
    yield
    _now[0] = "sqlite"
    for name in _held.values():
        _empty(name)
        _free.append(name)
    _held.clear()


def need() -> None:
    """Skip the test where there is no server."""
    if not os.environ.get(VARIABLE):
        pytest.skip(f"no PostgreSQL: {VARIABLE} is not set (make servers starts one)")


@pytest.fixture
def database(engine, tmp_path) -> Iterator[Database]:
    """An empty one."""
    with Database(url(tmp_path)) as opened:
        yield opened


@pytest.fixture
def bare(engine, tmp_path) -> Iterator[str]:
    """URL of a database in which nobody ever was; several may be open at it."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'bare.db'}"
    else:
        with passing() as found:
            yield found


@contextmanager
def passing() -> Iterator[str]:
    """URL of a new database on the server, without tables, that goes at the end."""
    name = new()
    try:
        yield server_url(name)
    finally:
        _forget(name)


def url(folder: Path, name: str = "hub.db") -> str:
    """Of the database of that name in a folder: the same whenever it is asked for, and empty at first."""
    if _now[0] == "sqlite":
        return f"sqlite:///{folder / name}"
    return server_url(_held.setdefault(folder / name, _free.pop() if _free else _create()))


def server_url(name: str) -> str:
    """Of a database of that name on the server."""
    return make_url(os.environ[VARIABLE]).set(database=name).render_as_string(hide_password=False)


def ask(name: str, *statements: str) -> None:
    """Run statements on a database of the server, each by itself."""
    with psycopg.connect(server_url(name), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _create() -> str:
    name = new()
    Database(server_url(name)).close()
    return name


def new(encoding: str = "UTF8") -> str:
    """Make a database of this process on the server, without tables; it goes when the process does."""
    if not _made:
        atexit.register(_drop)
    name = f"pulsehub_test_{os.getpid()}_{len(_made)}"
    _made.append(name)
    _forget(name)
    ask(_main(), f"create database {name} template template0 encoding '{encoding}'")
    return name


def _empty(name: str) -> None:
    tables = [table.name for table in schema.metadata.sorted_tables if table is not schema.meta]
    ours = "delete from meta where key not in ('schema', 'speaks')"
    counts = ["alter sequence archive_row_seq restart", "alter sequence receipts_id_seq restart"]
    ask(name, ";".join([*(f"delete from {table}" for table in tables), ours, *counts]))


def _drop() -> None:
    for name in _made:
        _forget(name)


def _forget(name: str) -> None:
    """Drop a database; who is no superuser has to wait for a vacuum that is at work in it."""
    until = time.monotonic() + 30
    while True:
        try:
            return ask(_main(), f"drop database if exists {name} with (force)")
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _main() -> str:
    return make_url(os.environ[VARIABLE]).database or ""
