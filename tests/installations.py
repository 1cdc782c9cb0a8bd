"""An installation on either engine, as settings that a process of ours is given.

The large one has a prefix of the tests' Kafka and a database of the tests' PostgreSQL for itself; both go at the end.
In Redis every database has keys of its own.
"""

import os
from contextlib import contextmanager

import pytest

from tests import engines
from tests.streams.kafka.cluster import cluster

INSTALLATIONS = ("embedded", "large")
_REDIS = "PULSEHUB_TEST_REDIS"
_PARTITIONS = 8  # as many as the embedded one has: making topics takes its time


@contextmanager
def installation(engine):
    """What of `PULSEHUB_*` makes it that engine; the test is skipped where there are no servers for it."""
    if engine == "embedded":
        yield {}
        return
    for name in (engines.VARIABLE, _REDIS):
        if not os.environ.get(name):
            pytest.skip(f"{name} is not set (make servers starts what the large engine needs)")
    with cluster() as broker, engines.passing() as database:
        yield {
            "PULSEHUB_BROKER_URL": broker,
            "PULSEHUB_DATABASE_URL": database,
            "PULSEHUB_REDIS_URL": os.environ[_REDIS],
            "PULSEHUB_PARTITIONS": str(_PARTITIONS),
        }
