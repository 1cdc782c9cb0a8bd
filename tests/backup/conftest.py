import pytest

from tests import engines
from tests.backup import kit
from tests.engines import engine  # noqa: F401 - a fixture
from tests.streams.kafka.cluster import cluster


@pytest.fixture
def url(engine):  # noqa: F811
    """Of a database in a folder, on the engine of the test."""
    return engines.url


@pytest.fixture(scope="session")
def scored(tmp_path_factory):
    """An embedded installation, stopped; only to be read."""
    ours = kit.settings(tmp_path_factory.mktemp("scored"))
    kit.score(ours, range(400), range(300, 900))
    return ours


@pytest.fixture(scope="session")
def taken(scored, tmp_path_factory):
    """Its backup; only to be read."""
    folder = tmp_path_factory.mktemp("taken") / "backup"
    kit.backup(scored, folder)
    return folder


@pytest.fixture
def large(engine, tmp_path):  # noqa: F811
    """An empty installation on PostgreSQL and Kafka, with more partitions."""
    with cluster() as broker:
        yield kit.settings(tmp_path / "large", engines.url(tmp_path), broker, partitions=16)
