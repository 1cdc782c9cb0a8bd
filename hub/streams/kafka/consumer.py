"""Faust's consumer on Kafka: a member of its app's group, which shares the partitions out.

It runs in the app's own event loop, so a batch is only ever touched there. The group says which partitions are ours;
from where they are read the database says, for batched topics, and for ordinary ones the group.

- *Given partitions*: each reader's `assigned` is awaited before anything is read. That may take longer than the broker
  waits for a heartbeat, so it runs beside the group's protocol, not inside it.
- *Losing them*: reading stops, open batches are dropped, each reader's `revoked` is awaited inside the protocol; the
  others wait for that, up to the broker's rebalance timeout.
- *A broker that goes away*: waited for; the app never learns of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport import base
from faust.types import TP, ConsumerMessage

from hub.streams.kafka.growing import Growing
from hub.streams.kafka.membership import Listener, membership, now_held
from hub.streams.kafka.outage import say
from hub.streams.kafka.records import message_of
from hub.streams.log import LogError

if TYPE_CHECKING:
    from hub.streams.kafka.transport import Transport

log = logging.getLogger(__name__)

_LOOK: Final = 0.05  # seconds between looks whether a full batch was taken
_PATIENCE: Final = 1.0  # seconds before asking again a broker that failed
_TELL_EVERY: Final = 5.0  # seconds between telling the group where the database stands
_Fetched = dict[TP, list[Any]]


class Consumer(base.Consumer):  # type: ignore[misc]
    """One member of the group of one app."""

    transport: Transport
    logger = logging.getLogger("faust.kafka.consumer")  # Faust tells its life there, not in our name

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._kafka: Any = None
        self._subscribed: set[str] = set()
        self._assigned: set[TP] = set()
        self._readable: set[TP] = set()
        self._next: dict[TP, int] = {}  # the broker's offset to read next
        self._told: dict[TP, int] = {}
        self._era = 0  # counts losses of partitions
        self._room = asyncio.Event()  # there may be room again, or something to read
        self._beginning: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
        super().__init__(*args, **kwargs)
        self._growing = Growing(self.transport.batched, self._base, self._room.set)

    # --- its life ---------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        """Connect, however long that takes."""
        await super().on_start()
        await self._connect()
        self._telling = asyncio.create_task(self._tell())

    async def on_stop(self) -> None:
        """Leave the group, so that the others need not wait for our session's end."""
        await super().on_stop()
        for task in (self._telling, self._beginning):
            if task is not None:
                task.cancel()
        self._room.set()
        if self._kafka is not None:
            await self._tell_once()
            await self._leave()

    async def _connect(self) -> None:
        broker = self.transport.log.broker
        outage = self.transport.log.outage
        while not self.should_stop:
            kafka, sticky = membership(self.app.conf.id, broker)
            try:
                await kafka.start()
            except (KafkaError, OSError) as error:
                await kafka.stop()
                outage.begin(say(error))
                await self.sleep(_PATIENCE)
                continue
            except BaseException:  # we are told to stop meanwhile
                await kafka.stop()
                raise
            self._kafka = kafka
            self._sticky = sticky
            if self._subscribed:
                kafka.subscribe(self._subscribed, listener=Listener(self.lose, self.gain))
            return

    async def _leave(self) -> None:
        kafka, self._kafka = self._kafka, None
        try:
            async with asyncio.timeout(self.transport.log.broker.patience):
                await kafka.stop()
        except (KafkaError, TimeoutError) as error:
            log.debug("kafka.left_badly", extra={"reason": say(error)})

    # --- which partitions, and from where ---------------------------------------------------------------------

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Take a share of these topics' partitions."""
        self._subscribed = set(topics)
        self._kafka.subscribe(self._subscribed, listener=Listener(self.lose, self.gain))

    async def lose(self, revoked: set[TP]) -> None:
        """All partitions go, also those that come back. The broker waits for us."""
        if self._beginning is not None:  # what has begun to claim cannot be taken back, only waited for
            await asyncio.wait({self._beginning}, timeout=self.transport.log.broker.rebalance / 2)
            self._beginning = None
        self._era += 1
        self._readable = set()
        self._growing.drop()
        self.app.on_rebalance_start()
        await self.on_partitions_revoked(revoked)
        if revoked:
            await asyncio.gather(*(reader.revoked() for reader in self.transport.batched.values()))
        self._assigned = set()

    async def gain(self, assigned: set[TP]) -> None:
        """These are ours; begin to read them, soon."""
        if self._kafka is None:  # we are leaving, and the group did not know yet
            return
        self._sticky.on_generation_assignment(self._kafka._coordinator.generation)  # noqa: SLF001 - aiokafka forgets to
        self._assigned = assigned
        self._beginning = asyncio.create_task(self._begin(set(assigned)))

    async def _begin(self, assigned: set[TP]) -> None:
        era = self._era
        by_topic: dict[str, list[int]] = defaultdict(list)
        for tp in sorted(assigned):
            by_topic[tp.topic].append(tp.partition)
        await asyncio.gather(
            *(reader.assigned(by_topic.get(topic, [])) for topic, reader in self.transport.batched.items())
        )
        await self._renew()
        if era != self._era:
            return
        now_held(self.app.assignor, by_topic)
        self.app.consumer_generation_id += 1  # Kafka's begin again at 1 when a group was empty
        await self.on_partitions_assigned(set(assigned), self.app.consumer_generation_id)

    async def _renew(self) -> None:
        """Know where our offsets begin: another process may have begun a topic anew."""
        while True:
            try:
                return await asyncio.to_thread(self.transport.log.renew, self.transport.batched)
            except LogError as error:
                log.warning("kafka.bases_unknown", extra={"reason": str(error)})
                await asyncio.sleep(_PATIENCE)

    def assignment(self) -> set[TP]:
        """What is ours now."""
        return set(self._assigned)

    async def seek_to_committed(self) -> Mapping[TP, int | None]:
        """Go to where the database stands, or the group; where neither ever stood, to `consumer_auto_offset_reset`."""
        self._growing.drop()
        era = self._era
        found: dict[TP, int | None] = {}
        for topic in {tp.topic for tp in self._assigned}:
            mine = [tp for tp in self._assigned if tp.topic == topic]
            stands = await self._stands(topic, mine)
            starts, ends = await self._bounds(topic)
            if era != self._era:  # they went while we asked
                return {}
            latest = self.app.conf.consumer_auto_offset_reset == "latest"
            for tp in mine:
                found[tp] = stands.get(tp)
                start, end = starts[tp.partition], ends[tp.partition]
                at = stands.get(tp, end if latest and topic not in self.transport.batched else start)
                self._go(tp, self._kept(tp, at, start, end))
        self._readable = found.keys() & self._assigned
        self._room.set()
        return found

    async def _stands(self, topic: str, mine: Iterable[TP]) -> dict[TP, int]:
        """In the broker's offsets."""
        if reader := self.transport.batched.get(topic):
            positions = reader.positions()
            bases = self.transport.log.bases(self.transport.log.ours(topic))
            return {
                tp: max(0, positions[tp.partition] - bases.get(tp.partition, 0))
                for tp in mine
                if tp.partition in positions
            }
        found: dict[TP, int] = {}
        for tp in mine:
            offset = await self._until_told(partial(self._kafka.committed, TopicPartition(*tp)))
            if offset is not None:
                found[tp] = offset
        return found

    def _kept(self, tp: TP, at: int, start: int, end: int) -> int:
        """Where to go for `at`: on from the oldest record kept, if what was to be read is not."""
        if at < start and tp.topic in self.transport.batched:
            self._lost(tp, at, start)
        if at > end:
            log.error("kafka.log_behind", extra={"topic": tp.topic, "partition": tp.partition, "ends": end, "read": at})
            if reader := self.transport.batched.get(tp.topic):
                reader.fail(f"{tp.topic} ends before what was read of it: it was made anew, or lost its end")
        return max(at, start)

    def _lost(self, tp: TP, at: int, start: int) -> None:
        """Retention is the broker's and waits for nobody. Compaction leaves gaps too, which are no loss."""
        log.error("kafka.expired_unread", extra={"topic": tp.topic, "partition": tp.partition, "records": start - at})
        self.transport.log.count({f"expired.{self.app.conf.id}": start - at})
        base = self._base(tp)
        self.transport.batched[tp.topic].expired(tp.partition, at + base, start + base)

    def _go(self, tp: TP, offset: int) -> None:
        self._next[tp] = offset
        if self._kafka is None:  # given to us just before we left to join anew: we shall be given some again
            return
        try:
            self._kafka.seek(TopicPartition(*tp), offset)
        except IllegalStateError:
            log.debug("kafka.lost_meanwhile", extra={"topic": tp.topic, "partition": tp.partition})

    async def _seek(self, partition: TP, offset: int) -> None:
        self._go(partition, offset)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Go to these offsets."""
        for tp, offset in partitions.items():
            self._go(tp, offset)
            self._read_offset[tp] = offset or None

    async def seek_to_beginning(self, *partitions: TP) -> None:
        """Go to the oldest record kept."""
        await self.seek_wait(await self.earliest_offsets(*partitions))

    async def position(self, tp: TP) -> int | None:
        """The offset read next."""
        return self._next.get(tp)

    def highwater(self, tp: TP) -> int:
        """The end of a partition as of the last look."""
        return self._kafka.highwater(TopicPartition(*tp)) or 0 if tp in self._assigned else 0

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """The ends of partitions."""
        ends = {topic: (await self._bounds(topic))[1] for topic in {tp.topic for tp in partitions}}
        return {tp: ends[tp.topic][tp.partition] for tp in partitions}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """The offsets of the oldest records kept."""
        starts = {topic: (await self._bounds(topic))[0] for topic in {tp.topic for tp in partitions}}
        return {tp: starts[tp.topic][tp.partition] for tp in partitions}

    def topic_partitions(self, topic: str) -> int | None:  # noqa: ARG002 - Faust's signature
        """How many partitions a topic has: all of ours have as many."""
        return self.transport.log.partitions

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:
        """The partition a key belongs to."""
        return self.app.producer.key_partition(topic, key).partition if partition is None else partition

    async def create_topic(self, *_: Any, **__: Any) -> None:
        """Whoever opens the log declares its topics."""

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    async def _bounds(self, topic: str) -> tuple[dict[int, int], dict[int, int]]:
        """Partition -> where it starts, and where it ends; asked beside our own connection, on which a fetch waits."""
        name = self.transport.log.ours(topic)
        found: tuple[dict[int, int], dict[int, int]] = await self._until_told(
            lambda: asyncio.wrap_future(self.transport.log.kept(name))
        )
        return found

    async def _until_told(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """A broker that is gone is waited for."""
        while True:
            try:
                return await ask()
            except (KafkaError, OSError) as error:
                self.transport.log.outage.begin(say(error))
                await asyncio.sleep(_PATIENCE)

    # --- what has been done -----------------------------------------------------------------------------------

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Of ordinary topics; what fails is tried again at the next interval."""
        try:
            await self._kafka.commit({TopicPartition(*tp): offset for tp, offset in offsets.items()})
        except KafkaError as error:
            log.debug("kafka.commit_failed", extra={"reason": say(error)})
            return False
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        # Faust counts the message behind a gap as part of it, and so as done before it is: leave it out.
        await super()._add_gap(tp, offset_from, offset_to - 1)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(_TELL_EVERY)
            await self._tell_once()

    async def _tell_once(self) -> None:
        """Let the group know where the database stands, for Kafka's own tools. We never read it."""
        for topic in self.transport.batched:
            stands = await self._stands(topic, [tp for tp in self._readable if tp.topic == topic])
            news = {tp: offset for tp, offset in stands.items() if self._told.get(tp) != offset}
            if news and await self._commit(news):
                self._told |= news

    # --- reading ----------------------------------------------------------------------------------------------

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> _Fetched:  # noqa: ASYNC109 - Faust's
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self.flow_active and not self.should_stop and (left := deadline - loop.time()) > 0:
            self._room.clear()
            if any(reader.fenced for reader in self.transport.batched.values()):
                await self._rejoin()
            wanted = self._readable if active_partitions is None else self._readable & active_partitions
            rooms, full = self._growing.rooms(wanted)
            if not rooms:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._room.wait(), left)
                continue
            try:
                fetched = await self._fetch(wanted, rooms, min(left, _LOOK) if full else left)
            except OffsetOutOfRangeError as error:
                await self._find_again(error.args[0])
            except NoOffsetForPartitionError:
                continue  # aiokafka asked the group before we went where the database stands; said once, it is over
            except (KafkaError, OSError) as error:
                await self._recover(error)
            else:
                self._next |= {tp: records[-1].offset + 1 for tp, records in fetched.items()}
                if found := self._growing.add(fetched):
                    return found
                await asyncio.sleep(0)  # reading what is there already waits for nothing
        return {}

    async def _fetch(self, wanted: set[TP], rooms: Mapping[str, int], left: float) -> dict[TP, list[Any]]:
        """What is there of each topic; if that is nothing, what comes first."""
        found: dict[TP, list[Any]] = {}
        partitions = {topic: [TopicPartition(*tp) for tp in wanted if tp.topic == topic] for topic in rooms}
        for topic, room in rooms.items() if len(rooms) > 1 else ():
            found |= await self._kafka.getmany(*partitions[topic], max_records=room)
        if not found:
            every = [tp for some in partitions.values() for tp in some]
            found = await self._kafka.getmany(*every, timeout_ms=int(left * 1000), max_records=min(rooms.values()))
        if found:
            self.transport.log.outage.over()
        return {TP(*tp): records for tp, records in found.items() if TP(*tp) in self._readable}

    def _base(self, tp: TP) -> int:
        return self.transport.log.bases(self.transport.log.ours(tp.topic)).get(tp.partition, 0)

    async def _find_again(self, lost: Mapping[Any, int]) -> None:
        """What was to be read next is no longer kept, or the topic is another one."""
        for tp, at in ((TP(*tp), at) for tp, at in lost.items()):
            starts, ends = await self._bounds(tp.topic)
            if at > ends[tp.partition] and tp.topic in self.transport.batched:
                await self._rejoin()  # who claims anew learns where it begins
                return
            self._go(tp, self._kept(tp, at, starts[tp.partition], ends[tp.partition]))
            if at > ends[tp.partition]:
                await asyncio.sleep(_PATIENCE)  # there is nothing to do but say so, each time

    async def _recover(self, error: Exception) -> None:
        """Wait. Membership that has ended for good is begun anew; aiokafka itself gets over all else."""
        self.transport.log.outage.begin(say(error))
        if not getattr(error, "retriable", True):
            await self._rejoin()
        else:
            await self.sleep(_PATIENCE)

    async def _rejoin(self) -> None:
        """Be given partitions anew, after a moment."""
        await self.sleep(_PATIENCE)
        if not self.should_stop:
            await self.lose(set(self._assigned))
            await self._leave()
            await self._connect()

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        return message_of(tp, record, self.app.consumer_generation_id)
