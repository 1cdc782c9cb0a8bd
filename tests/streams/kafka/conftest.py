import pytest

from tests.servers.program import ServerError
from tests.servers.servers import Servers
from tests.streams.kafka.cluster import cluster


@pytest.fixture
def url():
    """Of a log on Kafka that nobody else uses."""
    with cluster() as url:
        yield url


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
