import pytest

from tests.streams.kafka.cluster import cluster


@pytest.fixture
def url():
    """Of a log on Kafka that nobody else uses."""
    with cluster() as url:
        yield url
