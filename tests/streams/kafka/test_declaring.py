import asyncio
import math
from ssl import SSLCertVerificationError

import pytest
from aiokafka.errors import (
    AuthenticationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
)

from hub.sdk.errors import ConfigError
from hub.streams.kafka.broker import Broker
from hub.streams.kafka.declaring import Admin
from hub.streams.kafka.log import KafkaLog
from hub.streams.kafka.refusal import judged
from hub.streams.log import Entry, LogError
from hub.streams.topics import DAY, EVENTS, HEALTH, TopicSpec


@pytest.fixture
def log(url, database):
    log = KafkaLog.at(url, 4, database)
    yield log
    log.close()


def asked(url, question):
    """What `question` learns from an admin client of the cluster; a topic just made may take a moment to be known."""

    async def ask():
        broker = Broker.at(url)
        admin = Admin(**broker.client())
        await admin.start()
        try:
            async with asyncio.timeout(20):
                while True:
                    try:
                        return await question(admin, broker.named)
                    except UnknownTopicOrPartitionError:
                        await asyncio.sleep(0.1)
        finally:
            await admin.close()

    return asyncio.run(ask())


def settings(url, topic):
    found = asked(url, lambda admin, named: admin.settings(named(topic)))
    return {name: value for name, (value, own) in found.items() if own}


def test_a_topic_keeps_what_its_spec_says(url, log):
    log.declare(EVENTS)
    log.declare(HEALTH)
    log.declare(TopicSpec("table", math.inf, compact=True))
    assert asked(url, lambda admin, named: admin.partitions(named("events"))) == 4
    events, health, table = (settings(url, name) for name in ("events", "health", "table"))
    assert (events["cleanup.policy"], events["retention.ms"]) == ("delete", "604800000")
    assert (health["cleanup.policy"], health["retention.ms"]) == ("compact,delete", "604800000")
    assert health["min.compaction.lag.ms"] == "86400000"
    assert (table["cleanup.policy"], table["retention.ms"]) == ("compact", "-1")


def test_a_topic_that_is_there_takes_the_new_retention_and_keeps_what_others_set(url, log, database):
    log.declare(EVENTS)

    async def tune(admin, named):
        own = {name: value for name, (value, own) in (await admin.settings(named("events"))).items() if own}
        await admin.change(named("events"), own | {"segment.ms": "3600000", "max.message.bytes": "16777216"})

    asked(url, tune)
    again = KafkaLog.at(url, 4, database)
    again.declare(TopicSpec("events", 30 * DAY))
    again.close()
    found = settings(url, "events")
    assert found["retention.ms"] == "2592000000"
    assert found["segment.ms"] == "3600000"
    assert found["max.message.bytes"] == "16777216"


def test_another_number_of_partitions_is_refused_with_both_numbers(url, log, database):
    log.declare(EVENTS)
    other = KafkaLog.at(url, 6, database)
    with pytest.raises(ConfigError, match=r"\.events has 4 partitions and this installation 6: .*PULSEHUB_PARTITIONS"):
        other.declare(EVENTS)
    other.close()


def test_asking_for_a_topic_does_not_make_it(url, log):
    assert log.ends("events") == log.starts("events") == {}
    assert asked(url, lambda admin, named: admin.partitions(named("events"))) is None
    with pytest.raises(KeyError):
        log.append([Entry("events", 0, b"k", b"v", 0.0)])


def test_a_broker_that_does_not_answer_may_come_back(database):
    said = r"cannot use the broker kafka://127\.0\.0\.1:1/pulsehub: ConnectionRefusedError.*see that it runs"
    with pytest.raises(LogError, match=said):
        KafkaLog.at("kafka://127.0.0.1:1?patience=2", 4, database)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (AuthenticationFailedError("no"), ConfigError, "refuses our user or password"),
        (UnsupportedSaslMechanismError("no"), ConfigError, "UnsupportedSaslMechanismError"),
        (SSLCertVerificationError("self-signed"), ConfigError, "self-signed"),
        (ConnectionRefusedError("nobody there"), LogError, "nobody there"),
        (TimeoutError(), LogError, "it does not answer"),
    ],
)
def test_what_a_person_must_mend_is_told_from_what_only_takes_time(error, kind, said):
    found = judged(Broker.at("kafka://one/ours"), error)
    assert type(found) is kind
    assert said in str(found)
