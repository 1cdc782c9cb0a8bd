from contextlib import closing

import pytest

from hub.store.database import Database
from hub.streams.opening import open_log
from tests import engines
from tests.streams.kafka.cluster import cluster
from tests.streams.kit import PARTITIONS, Place


@pytest.fixture
def database(tmp_path):
    with Database(f"sqlite:///{tmp_path}/hub.db") as database:
        yield database


@pytest.fixture(params=["sqlite", "kafka"])
def url(request, tmp_path):
    """Of a log that nobody else uses."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/streams.db"
    else:
        with cluster() as url:
            yield url


@pytest.fixture
def place(tmp_path, url):
    """On each engine: a log and a database that are files, Kafka and PostgreSQL."""
    with (
        engines.on("sqlite" if url.startswith("sqlite:") else "postgresql"),
        Database(engines.url(tmp_path)) as database,
        closing(open_log(url, PARTITIONS, database)) as log,
    ):
        yield Place(tmp_path, database, log)


@pytest.fixture
def embedded(tmp_path, database):
    """On a file."""
    log = open_log(f"sqlite:///{tmp_path}/streams.db", PARTITIONS, database)
    yield Place(tmp_path, database, log)
    log.close()
