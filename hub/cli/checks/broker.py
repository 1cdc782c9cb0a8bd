"""Kafka: whether its servers answer, and whether our topics are kept as they must be for nothing to be lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from hub.cli.checks import Check
from hub.sdk.errors import ConfigError
from hub.settings import Settings
from hub.streams.kafka.broker import Broker
from hub.streams.kafka.declaring import LARGEST, settings_of
from hub.streams.kafka.describing import Cluster, Kept, Server, describe
from hub.streams.topics import ALL, TopicSpec

_ENOUGH: Final = 3  # replicas, of which one may be lost while another is away
_PAIR: Final = 2
_ALTER: Final = "`kafka-configs --alter --entity-type topics --add-config"
_Finding = tuple[str, str]  # state, what to say


def broker(settings: Settings) -> Iterator[Check]:
    """Everything about the cluster that the settings name."""
    try:
        cluster = describe(Broker.at(settings.stream), [spec.name for spec in ALL])
    except ConfigError as error:
        yield Check("broker", "wrong", f"{error}. Start it, or mend PULSEHUB_BROKER_URL")
        return
    yield from _servers(cluster.servers)
    yield from _topics(cluster)


def _servers(servers: Iterable[Server]) -> Iterator[Check]:
    answer = [one for one in servers if one.took is not None]
    for one in servers:
        if one.took is None:
            says = f"broker {one.id} does not answer at {one.address}, where the cluster says it is: {one.problem}"
            yield Check("broker", "wrong", f"{says}. Start it, or see advertised.listeners")
    if answer:
        slowest = max(one.took or 0.0 for one in answer) * 1000
        many = f"{len(answer)} brokers answer" if len(answer) > 1 else "one broker answers"
        yield Check("broker", "ok", f"{many} in {slowest:.0f} ms; Kafka tells no clock")
    if older := [one for one in answer if not one.tested]:
        which = ", ".join(str(one.id) for one in older)
        says = f"{which} speaks as Kafka did before 3.9, with which nothing here was tested"
        yield Check("versions", "note", f"broker {says}: upgrade it, or try before you rely on it")


def _topics(cluster: Cluster) -> Iterator[Check]:
    found: defaultdict[_Finding, list[str]] = defaultdict(list)
    for spec in ALL:
        kept = cluster.topics.get(spec.name)
        if kept is not None:
            for finding in judge(spec, kept, len(cluster.servers)):
                found[finding].append(spec.name)
        else:
            found["note", "not there: the next start makes it"].append(spec.name)
    for (state, says), names in found.items():
        which = "every topic" if len(names) == len(ALL) else ", ".join(names)
        yield Check("topics", state, f"{which}: {says}")
    if cluster.topics and not any(state == "wrong" for state, _ in found):
        fewest = min(kept.in_sync for kept in cluster.topics.values())
        yield Check("topics", "ok", f"{len(cluster.topics)} there, each with {fewest} replicas in sync or more")


def judge(spec: TopicSpec, kept: Kept, brokers: int) -> Iterator[_Finding]:
    """What is to be said of a topic, and what to do. Pure."""
    if kept.leaderless:
        yield "wrong", f"{kept.leaderless} partitions cannot be read or written: start the brokers that have them"
    elif kept.in_sync < min(kept.least, kept.replicas):
        says = f"takes nothing: {kept.in_sync} replicas are in sync, and {kept.least} have to be"
        yield "wrong", f"{says}. Start the brokers that are away"
    elif kept.in_sync < kept.replicas:
        yield "note", f"{kept.in_sync} of {kept.replicas} replicas are in sync: a broker is away, or cannot keep up"
    if not kept.settings:
        yield "note", "we may not ask how it is kept: allow our user DescribeConfigs"
        return
    yield from _replicas(kept, brokers)
    if kept.settings.get("unclean.leader.election.enable") == "true":
        yield "wrong", f"may forget what was acknowledged: {_ALTER} unclean.leader.election.enable=false`"
    for name, value in settings_of(spec).items():
        theirs = kept.settings.get(name, "")
        if theirs != value and not (name == "max.message.bytes" and int(theirs or 0) >= LARGEST):
            says = f"{name} is {theirs or 'unknown'} and should be {value}"
            yield "note", f"{says}: the next start of any process sets it"


def _replicas(kept: Kept, brokers: int) -> Iterator[_Finding]:
    if kept.least > kept.replicas:
        says = f"demands {kept.least} replicas in sync and has {kept.replicas}: it takes nothing"
        yield "wrong", f"{says}. {_ALTER} min.insync.replicas={max(1, kept.replicas - 1)}`"
    elif kept.replicas < min(_ENOUGH, brokers):
        says = f"{kept.replicas} of {brokers} brokers have what it holds"
        yield "wrong", f"{says}: give it {min(_ENOUGH, brokers)} replicas with `kafka-reassign-partitions`"
    elif kept.replicas >= _ENOUGH and kept.least < _PAIR:
        says = "may acknowledge what one broker alone has, which is lost with it"
        yield "wrong", f"{says}: {_ALTER} min.insync.replicas=2`"
    elif kept.replicas == _PAIR and kept.least < _PAIR:
        says = "while one of two brokers is away, what is acknowledged is on the other alone, and lost with its disk"
        yield "note", f"{says}. Add a third broker; or demand both, and take nothing while one is away"
    elif kept.replicas == 1:
        yield "note", "one broker has it, so what is acknowledged can be lost with its machine: three are safe"
