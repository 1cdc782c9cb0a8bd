"""A Redis of the test's own, which it may stop, empty, pause and start again."""

import logging
import socket
import threading
import time

import pytest
import redis

from hub.store.expendable.client import Expendable
from tests.servers.cache import Redis
from tests.servers.program import ServerError


@pytest.fixture
def server(tmp_path):
    """A running server; `server.near` is where, and `server.url` too, with a second's patience for a busy machine."""
    program = Redis(tmp_path / "redis")
    try:
        program.start()
    except ServerError as error:
        pytest.skip(str(error))
    program.near = f"redis://127.0.0.1:{program.port}/0"
    program.url = f"{program.near}?socket_timeout=1&socket_connect_timeout=1"
    yield program
    program.kill()


@pytest.fixture
def look(server):
    """A client beside ours, to look and to break things with."""
    with redis.Redis.from_url(server.url) as client:
        yield client


@pytest.fixture
def made(server):
    """Makes clients of ours and closes them at the end."""
    opened = []

    def make(**more):
        opened.append(Expendable(**{"url": server.url, "name": "test", **more}))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def expendable(made):
    return made()


class Said(logging.Handler):
    """Names of what was logged, and everything else that stood there."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.names = []
        self.records = []

    def emit(self, record):
        self.names.append(record.getMessage())
        self.records.append(str(record.__dict__))


@pytest.fixture
def said():
    """What `hub.store.expendable` logs."""
    handler, logger = Said(), logging.getLogger("hub.store.expendable")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture
def until():
    """Asks until the answer is yes, for ten seconds."""

    def wait(condition, patience=10.0):
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, "it never came"
            threading.Event().wait(0.01)

    return wait


@pytest.fixture
def silent_port():
    """A port that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        yield listening.getsockname()[1]
