"""One member of the consumer group of one app, as aiokafka knows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from faust.assignor.client_assignment import ClientAssignment
from faust.types import TP

from hub.streams.kafka.broker import Broker
from hub.streams.kafka.declaring import LARGEST

_LOOK: Final = 5_000  # ms between looks which topics there are: one that a group did not see is nobody's until then
_NEVER: Final = 86_400_000  # ms: an agent that waits for its database is not dead; the session finds the dead


def membership(group: str, broker: Broker) -> tuple[Any, Any]:
    """A consumer that has yet to start, and the assignor it divides partitions by when it leads the group."""
    sticky: Any = type("Sticky", (StickyPartitionAssignor,), {})  # its state is the class's: each needs one of its own
    kafka = AIOKafkaConsumer(
        group_id=group,
        partition_assignment_strategy=(sticky,),
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=LARGEST // 8,
        fetch_max_bytes=LARGEST,
        session_timeout_ms=int(broker.session * 1000),
        heartbeat_interval_ms=int(broker.session * 300),
        rebalance_timeout_ms=int(broker.rebalance * 1000),
        max_poll_interval_ms=_NEVER,
        metadata_max_age_ms=_LOOK,
        **broker.client(),
    )
    return kafka, sticky


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells of partitions that go, and of those that come."""

    def __init__(self, lose: Callable[[set[TP]], Awaitable[None]], gain: Callable[[set[TP]], Awaitable[None]]) -> None:
        self._lose, self._gain = lose, gain

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """They go; the others wait for us."""
        await self._lose({TP(*tp) for tp in revoked})

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """They are ours."""
        await self._gain({TP(*tp) for tp in assigned})


def now_held(assignor: Any, partitions: Mapping[str, list[int]]) -> None:
    """Let Faust's assignor know what the group has given us, by topic: as its `on_assignment` would."""
    assignor._assignment = ClientAssignment(actives=dict(partitions), standbys={})  # noqa: SLF001 - see above
    assignor._active_tps = assignor._assignment.active_tps  # noqa: SLF001 - see above
    assignor._standby_tps = set()  # noqa: SLF001 - see above
    assignor._topic_groups = dict.fromkeys(partitions, 0)  # noqa: SLF001 - see above
