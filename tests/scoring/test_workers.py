"""Several workers on one database: what one of them does, the others find out before they do anything themselves."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from hub.store import schema
from hub.store.database import Database
from scoring.loading import load
from scoring.rescore import Rescore
from tests import engines

pytestmark = pytest.mark.usefixtures("engine")
server = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


@pytest.fixture
def databases(tmp_path):
    """One database, as three processes have it open."""
    with ExitStack() as opened:
        yield [opened.enter_context(Database(engines.url(tmp_path))) for _ in range(3)]


@server
def test_workers_may_start_together_with_measures_that_are_new(databases):
    config = load()
    for _ in range(10):
        databases[0].write(lambda c: c.execute(schema.meta.delete().where(schema.meta.c.key.like("row:%")))).result()
        ready = threading.Barrier(len(databases), timeout=10)

        def start(database, ready=ready):
            ready.wait()
            Rescore(database, config, "wall", 4)

        with ThreadPoolExecutor() as processes:
            list(processes.map(start, databases))
