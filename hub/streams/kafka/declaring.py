"""Topics of ours on the cluster: made when they are not there, held to what an installation needs when they are."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.metadata import MetadataRequest

from hub.sdk.errors import ConfigError
from hub.streams.topics import DAY, TopicSpec

LARGEST: Final = 8 * 1024 * 1024  # bytes of a record: a raw body of several MiB, in base64; managed clusters take that
_REPLICAS: Final = 3
_UNTOUCHED: Final = DAY  # how long a compact topic keeps what is superseded, for who is behind
_SOON: Final = 0.05  # seconds until a new topic is known to another server
_OURS: Final = 1  # what Kafka calls a setting of the topic itself
_REFUSED: Final = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)


class Admin(AIOKafkaAdminClient):  # type: ignore[misc]
    """An admin client that never makes a topic by asking for it."""

    async def partitions(self, topic: str) -> int | None:
        """How many partitions a topic has; None when it is not there. Raises KafkaError where that is not known."""
        reply = await self._send_request(MetadataRequest([topic], allow_auto_topic_creation=False))
        found = reply.to_object()["topics"][0]
        if (code := found["error_code"]) == UnknownTopicOrPartitionError.errno:
            return None
        if code:
            raise _wrong(code, topic)
        return len(found["partitions"])

    async def cluster(self) -> str:
        """The id it was given when it was made; empty where something else speaks the protocol and has none."""
        return (await self.describe_cluster()).get("cluster_id") or ""

    async def brokers(self) -> int:
        """How many servers the cluster has."""
        return len((await self.describe_cluster())["brokers"])

    async def settings(self, topic: str) -> dict[str, tuple[str, bool]]:
        """Its settings: name -> value, and whether the topic itself says so (else it is the cluster's default)."""
        (reply,) = await self.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        code, message, _, _, entries = reply.resources[0]
        if code:
            raise _wrong(code, message)
        return {name: (value, source == _OURS) for name, value, _, source, *_ in entries}

    async def make(self, topic: NewTopic) -> bool:
        """Make a topic; whether it was not there."""
        ((_, code, message, *_),) = (await self.create_topics([topic])).topic_errors
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise _wrong(code, message)
        return not code

    async def change(self, topic: str, settings: Mapping[str, str]) -> None:
        """Give a topic these settings of its own, and no others."""
        (reply,) = await self.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, dict(settings))])
        code, message, *_ = reply.resources[0]
        if code:
            raise _wrong(code, message)


async def declare(admin: Admin, topic: str, spec: TopicSpec, partitions: int) -> bool:
    """Have the topic as it must be; whether we made it.

    Raises:
        ConfigError: it has another number of partitions, or we may not make or change it.
    """
    try:
        found = await admin.partitions(topic)
        if found is None:
            replicas = min(_REPLICAS, await admin.brokers())
            wanted = settings_of(spec) | ({"min.insync.replicas": "2"} if replicas == _REPLICAS else {})
            if await admin.make(NewTopic(topic, partitions, replicas, topic_configs=wanted)):
                while await admin.partitions(topic) is None:  # noqa: ASYNC110 - a group that sees none shares none out
                    await asyncio.sleep(_SOON)
                return True
            found = await admin.partitions(topic)
        if found is not None and found != partitions:
            raise ConfigError(
                f"topic {topic} has {found} partitions and this installation {partitions}: set PULSEHUB_PARTITIONS to"
                f" {found}, or name another prefix in the broker's URL"
            )
        while not await _held(admin, topic, settings_of(spec)):  # noqa: ASYNC110 - nobody tells when they know
            await asyncio.sleep(_SOON)
    except _REFUSED as error:
        raise ConfigError(
            f"our user may not make or change topic {topic} ({type(error).__name__}): allow it Create, DescribeConfigs"
            " and AlterConfigs on topics that begin with the prefix of the broker's URL"
        ) from None
    return False


async def _held(admin: Admin, topic: str, wanted: Mapping[str, str]) -> bool:
    """Change what differs; False if the topic is so new that not every server knows it.

    The protocol replaces all settings of a topic, so what others set is said again.
    """
    try:
        settings = await admin.settings(topic)
    except UnknownTopicOrPartitionError:
        return False
    larger = int(settings.get("max.message.bytes", ("0", False))[0]) >= LARGEST
    ours = {name: value for name, value in wanted.items() if not (larger and name == "max.message.bytes")}
    if any(settings.get(name, ("", False))[0] != value for name, value in ours.items()):
        await admin.change(topic, {name: value for name, (value, own) in settings.items() if own} | ours)
    return True


def settings_of(spec: TopicSpec) -> dict[str, str]:
    """What a topic of ours has to be told on Kafka."""
    kept = "-1" if math.isinf(spec.retention) else str(int(spec.retention * 1000))
    policy = "delete" if not spec.compact else "compact" if math.isinf(spec.retention) else "compact,delete"
    wanted = {
        "cleanup.policy": policy,
        "retention.ms": kept,
        "max.message.bytes": str(LARGEST),
        "message.timestamp.type": "CreateTime",
    }
    if spec.compact:
        wanted["min.compaction.lag.ms"] = str(int(min(_UNTOUCHED, spec.retention) * 1000))
    return wanted


def _wrong(code: int, message: str | None) -> Exception:
    error: Exception = for_code(code)(message or "")
    return error
