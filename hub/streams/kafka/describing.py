"""How a cluster is: which of its servers answer, and how our topics are kept there. Looked at, never changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.errors import AuthenticationFailedError, KafkaError
from aiokafka.protocol.admin import ApiVersionRequest
from aiokafka.protocol.metadata import MetadataRequest

from hub.sdk.errors import ConfigError
from hub.streams.kafka.broker import Broker
from hub.streams.kafka.declaring import Admin
from hub.streams.kafka.outage import say

_PATIENCE: Final = 3.0  # seconds for a server to answer
_ADD_RAFT_VOTER: Final = 80  # came with Kafka 3.9; servers do not tell their version, only what they know


@dataclass(frozen=True, slots=True)
class Server:
    """A broker, as the cluster says where it is.

    Attributes:
        id: of the broker.
        address: `host:port`.
        took: seconds until it answered; None where it does not, and `problem` says why.
        tested: whether it speaks as the version does that the tests run on, or a later one.
        problem: why it does not answer.
    """

    id: int
    address: str
    took: float | None
    tested: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """How a topic is kept.

    Attributes:
        partitions: how many.
        replicas: of the partition that has the fewest.
        in_sync: replicas that have all of it, of the partition that has the fewest.
        leaderless: partitions that can be neither read nor written now.
        settings: name -> value, the cluster's defaults too; empty where we may not ask.
    """

    partitions: int
    replicas: int
    in_sync: int
    leaderless: int
    settings: Mapping[str, str]

    @property
    def least(self) -> int:
        """How many replicas have to be in sync for a record to be taken."""
        return int(self.settings.get("min.insync.replicas", 1))


@dataclass(frozen=True, slots=True)
class Cluster:
    """All of it. Topics by our names; those that are not there are left out."""

    servers: tuple[Server, ...]
    topics: Mapping[str, Kept]


def describe(broker: Broker, topics: Collection[str]) -> Cluster:
    """Ask the cluster, in a loop of our own.

    Raises:
        ConfigError: it does not answer, or does not let us in.
    """
    return asyncio.run(_describe(broker, topics))


async def _describe(broker: Broker, topics: Collection[str]) -> Cluster:
    admin = _Asking(request_timeout_ms=int(broker.patience * 1000), **broker.client())
    try:
        async with asyncio.timeout(broker.patience):
            await admin.start()
            names = {broker.named(topic): topic for topic in topics}
            brokers, there = await admin.metadata(list(names))
            servers = await asyncio.gather(*(admin.server(one) for one in brokers))
            kept = {names[name]: _kept(parts, await admin.told(name)) for name, parts in there.items()}
    except (KafkaError, OSError, TimeoutError) as error:
        why = "refuses our user or password" if isinstance(error, AuthenticationFailedError) else say(error)
        raise ConfigError(f"cannot use the broker {broker.place}: {why}") from None
    finally:
        await admin.close()
    return Cluster(tuple(sorted(servers, key=lambda one: one.id)), {t: kept[t] for t in topics if t in kept})


class _Asking(Admin):
    async def metadata(self, topics: list[str]) -> tuple[list[Any], dict[str, list[Any]]]:
        """The brokers, and by topic its partitions; never makes one."""
        request = MetadataRequest(topics, allow_auto_topic_creation=False)
        reply = (await self._send_request(request)).to_object()
        return reply["brokers"], {one["topic"]: one["partitions"] for one in reply["topics"] if not one["error_code"]}

    async def server(self, one: Mapping[str, Any]) -> Server:
        address = f"{one['host']}:{one['port']}"
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._send_request_to_node(one["node_id"], ApiVersionRequest())  # connects first
                asked = time.monotonic()
                reply = await self._send_request_to_node(one["node_id"], ApiVersionRequest())
        except (KafkaError, OSError, TimeoutError) as error:
            return Server(one["node_id"], address, None, problem=say(error))
        knows = {key for key, *_ in reply.api_versions}
        return Server(one["node_id"], address, time.monotonic() - asked, tested=_ADD_RAFT_VOTER in knows)

    async def told(self, topic: str) -> dict[str, str]:
        with suppress(KafkaError):
            return {name: value for name, (value, _) in (await self.settings(topic)).items()}
        return {}


def _kept(partitions: Collection[Mapping[str, Any]], settings: Mapping[str, str]) -> Kept:
    return Kept(
        partitions=len(partitions),
        replicas=min(len(one["replicas"]) for one in partitions),
        in_sync=min(len(one["isr"]) for one in partitions),
        leaderless=sum(one["leader"] < 0 for one in partitions),
        settings=settings,
    )
