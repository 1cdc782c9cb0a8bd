"""Faust's consumer on our log: ordinary topics by the message, chosen ones by the batch."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from faust.assignor.client_assignment import ClientAssignment
from faust.transport import base
from faust.types import TP, ConsumerMessage

from hub.streams.batches import Batch
from hub.streams.log import LogError
from hub.streams.room import Record
from hub.streams.sqlite.logfile import Extra
from hub.streams.topics import DAY, TopicSpec

if TYPE_CHECKING:
    from hub.streams.sqlite.transport import Transport

log = logging.getLogger(__name__)

_FETCH: Final = 500  # messages of an ordinary topic at once
_PATIENCE: Final = 1.0  # seconds before reading again from a log that could not be read
_NONE: Final = Extra()
_Fetched = dict[TP, list[Any]]


class Consumer(base.Consumer):  # type: ignore[misc]
    """Reads every partition of what its app subscribes to: on one file a group has one worker."""

    transport: Transport
    logger = logging.getLogger("faust.sqlite.consumer")  # Faust tells its life there, not in our name

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._assigned: set[TP] = set()
        self._positions: dict[TP, int] = {}
        self._highwaters: dict[TP, int] = {}
        self._open: dict[str, Batch] = {}
        self._rebalances = asyncio.Lock()
        self._news = asyncio.Event()
        self._unlisten: Any = None
        super().__init__(*args, **kwargs)

    async def on_start(self) -> None:
        """Listen to the log."""
        await super().on_start()
        loop = asyncio.get_running_loop()

        def heard(topics: Iterable[str]) -> None:
            names = list(topics)
            if not names or any(tp in self._assigned for tp in ((name, 0) for name in names)):
                try:
                    loop.call_soon_threadsafe(self._news.set)
                except RuntimeError:  # the loop has just ended
                    log.debug("streams.listener_late")

        self._unlisten = self.transport.log.listen(heard)

    async def on_stop(self) -> None:
        """Commit what is done and listen no more."""
        await super().on_stop()
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
        self._news.set()

    # --- which partitions, and from where ---------------------------------------------------------------------

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Take all partitions of these topics, soon, as a rebalance would give them."""
        names = set(topics)
        for name in names:
            self.transport.declare(TopicSpec(name, 7 * DAY), self.app.conf.topic_partitions)
        if self.app.client_only:
            await self._assign_client(names)
        else:
            self.add_future(self._rebalance(names))

    async def _assign_client(self, names: set[str]) -> None:
        self._assigned = self._partitions(names)
        for tp in self._assigned - self._positions.keys():  # a client waits for replies to come
            self._positions[tp] = self.transport.log.ends(tp.topic)[tp.partition]

    async def _rebalance(self, names: set[str]) -> None:
        """What aiokafka's coordinator would do, in its order."""
        app = self.app
        async with self._rebalances:
            app.on_rebalance_start()
            await self.on_partitions_revoked(set(self._assigned))
            for batched in self.transport.batched.values():
                await batched.revoked()
            for batch in self._open.values():
                batch.drop()
            self._open.clear()
            for name, table in app.tables._changelogs.items():  # noqa: SLF001 - Faust's assignor reads them there
                self.transport.declare(TopicSpec(name, float("inf"), compact=True), table.partitions)
            assigned = self._partitions(names | app.tables.changelog_topics)
            actives: dict[str, list[int]] = defaultdict(list)
            for tp in sorted(assigned):
                actives[tp.topic].append(tp.partition)
            assignor = app.assignor
            assignor._assignment = ClientAssignment(actives=dict(actives), standbys={})  # noqa: SLF001 - as on_assignment
            assignor._active_tps = assignor._assignment.active_tps  # noqa: SLF001 - as on_assignment
            assignor._standby_tps = set()  # noqa: SLF001 - as on_assignment
            assignor._topic_groups = dict.fromkeys(actives, 0)  # noqa: SLF001 - as on_assignment
            self._assigned = assigned
            for name, batched in self.transport.batched.items():
                await batched.assigned(range(self.transport.log.topic(name).partitions))
            app.consumer_generation_id += 1
            await self.on_partitions_assigned(set(assigned), app.consumer_generation_id)

    def _partitions(self, names: Iterable[str]) -> set[TP]:
        return {TP(name, number) for name in names for number in range(self.transport.log.topic(name).partitions)}

    def assignment(self) -> set[TP]:
        """What is read now."""
        return set(self._assigned)

    async def seek_to_committed(self) -> Mapping[TP, int | None]:
        """Go to where the group stands; where it never stood, to what `consumer_auto_offset_reset` says."""
        found: dict[TP, int | None] = {}
        for name in {tp.topic for tp in self._assigned}:
            batched = self.transport.batched.get(name)
            stands = batched.positions() if batched else self.transport.log.committed(self.app.conf.id, name)
            latest = self.app.conf.consumer_auto_offset_reset == "latest"
            fresh = self.transport.log.ends(name) if latest else {}
            for tp in (tp for tp in self._assigned if tp.topic == name):
                found[tp] = stands.get(tp.partition)
                self._positions[tp] = stands.get(tp.partition, fresh.get(tp.partition, 0))
        self._news.set()
        return found

    async def _seek(self, partition: TP, offset: int) -> None:
        self._positions[partition] = offset
        self._news.set()

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Go to these offsets."""
        for tp, offset in partitions.items():
            self._positions[tp] = offset
            self._read_offset[tp] = offset or None
        self._news.set()

    async def seek_to_beginning(self, *partitions: TP) -> None:
        """Go to the oldest record kept."""
        await self.seek_wait(dict.fromkeys(partitions, 0))

    async def position(self, tp: TP) -> int | None:
        """The offset read next."""
        return self._positions.get(tp)

    def highwater(self, tp: TP) -> int:
        """The end of a partition as of the last look."""
        return self._highwaters.get(tp, 0)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """The ends of partitions."""
        ends = {name: self.transport.log.ends(name) for name in {tp.topic for tp in partitions}}
        return {tp: ends[tp.topic].get(tp.partition, 0) for tp in partitions}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """The offsets of the oldest records kept."""
        starts = {name: self.transport.log.starts(name) for name in {tp.topic for tp in partitions}}
        return {tp: starts[tp.topic].get(tp.partition, 0) for tp in partitions}

    def topic_partitions(self, topic: str) -> int | None:
        """How many partitions a topic has; None for one that is not there."""
        found = self.transport.log.topics().get(topic)
        return found.partitions if found else None

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:
        """The partition a key belongs to."""
        return self.app.producer.key_partition(topic, key).partition if partition is None else partition

    async def create_topic(self, *args: Any, **kwargs: Any) -> None:
        """As the producer's."""
        await self.app.producer.create_topic(*args, **kwargs)

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    # --- what has been done -----------------------------------------------------------------------------------

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        try:
            await asyncio.wrap_future(self.transport.log.commit(self.app.conf.id, offsets))
        except LogError as error:
            log.warning("streams.commit_failed", extra={"reason": str(error)})
            return False  # tried again at the next interval; until then it would be delivered twice
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        # Faust counts the message behind a gap as part of it, and so as done before it is: leave it out.
        await super()._add_gap(tp, offset_from, offset_to - 1)

    # --- reading ----------------------------------------------------------------------------------------------

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> _Fetched:  # noqa: ASYNC109 - Faust's
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self.flow_active and not self.should_stop:
            self._news.clear()
            wanted = self._assigned if active_partitions is None else active_partitions
            try:
                if found := self._fetch(wanted):
                    return found
            except LogError as error:
                log.warning("streams.log_unreadable", extra={"reason": str(error)})
                await self.sleep(_PATIENCE)
            left = deadline - loop.time()
            if left <= 0:
                break
            try:
                await asyncio.wait_for(self._news.wait(), left)
            except TimeoutError:
                break
        return {}

    def _fetch(self, wanted: set[TP]) -> _Fetched:
        by_topic: dict[str, list[int]] = defaultdict(list)
        for tp in wanted:
            by_topic[tp.topic].append(tp.partition)
        found: _Fetched = {}
        for name, numbers in by_topic.items():
            batch = self._open.get(name)
            growing = batch is not None and batch.open
            most = _FETCH
            if batched := self.transport.batched.get(name):
                most = batched.most - (len(batch) if batch and growing else 0)
                if most <= 0:
                    continue
            records = self._read(name, numbers, most)
            if not records:
                continue
            if not batched:
                found |= self._messages(name, records)
            elif batch and growing:
                batch.extend(records)
            else:
                self._open[name] = batch = Batch(records, self._news.set)
                found[TP(name, records[0].partition)] = [batch]
        return found

    def _read(self, name: str, numbers: list[int], most: int) -> list[Record]:
        ends = self.transport.log.ends(name)
        positions = {}
        for number in numbers:
            tp = TP(name, number)
            self._highwaters[tp] = ends[number]
            if self._positions.get(tp, 0) < ends[number]:
                positions[number] = self._positions.get(tp, 0)
        if not positions:
            return []
        records: list[Record] = self.transport.log.read(name, positions, most)
        for number, offset in {record.partition: record.offset for record in records}.items():
            self._positions[TP(name, number)] = offset + 1
        return records

    def _messages(self, name: str, records: list[Record]) -> _Fetched:
        found: _Fetched = defaultdict(list)
        for record in records:
            found[TP(name, record.partition)].append(record)
        for tp, group in found.items():
            extras = self.transport.log.extras(name, tp.partition, group[0].offset, group[-1].offset)
            found[tp] = [(record, extras.get(record.offset, _NONE)) for record in group]
        return found

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        generation = self.app.consumer_generation_id
        if isinstance(record, Batch):
            first = record.records[0]
            return ConsumerMessage(
                tp.topic,
                tp.partition,
                first.offset,
                first.timestamp,
                1,
                [],
                None,
                record,
                None,
                0,
                0,
                tp,
                generation_id=generation,
            )
        kept, extra = record
        value = None if extra.absent else kept.value
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            kept.offset,
            kept.timestamp,
            1,
            list(extra.headers),
            kept.key,
            value,
            None,
            len(kept.key or b""),
            len(value or b""),
            tp,
            generation_id=generation,
        )
