import pytest
from sqlalchemy import text

from hub.store.database import Database
from tests import engines
from tests.servers.program import ServerError
from tests.servers.servers import Servers
from tests.streams.kafka.cluster import cluster


@pytest.fixture
def url():
    """Of a log on Kafka that nobody else uses."""
    with cluster() as url:
        yield url


@pytest.fixture
def database(tmp_path):
    """As with Kafka in an installation: PostgreSQL."""
    with engines.on("postgresql"), Database(engines.url(tmp_path)) as database:
        yield database


@pytest.fixture
def done(database):
    """A table for rooms to keep values in by the transactions of their steps; asked, what it has."""

    def job(statement):
        database.write(lambda connection: connection.execute(text(statement)) and None).result()

    def values():
        with database.read() as connection:
            return sorted(connection.scalars(text("select value from done")))

    job("create table done (value bytea)")
    yield values
    job("drop table done")


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    """A broker of our own, to break."""
    servers = Servers(tmp_path_factory.mktemp("servers"), postgres=False, redis=False)
    try:
        servers.start()
    except ServerError as error:
        pytest.skip(str(error))
    yield servers
    servers.stop()
