"""The transactional agent: the one place that owns the rule of delivery.

Take the batch; drop what was applied before; let the room decide (`step`); then in one database transaction its rows,
its messages, its dead letters and the offsets; once that is on disk, `Step.after`, and the publisher. The database's
own transaction holds the fence, so a process that has lost its claim changes nothing.

- A record that cannot be applied: the batch is halved until it is alone, then it is dead-lettered by the transaction
  that moves past it.
- A database that fails: the same records again, after a wait, from what the database says.
- A claim that is lost: the room does nothing more until partitions are assigned to it anew; where nobody assigns
  (a file has one worker), it stops for good, and says so.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import Connection

from hub import metrics
from hub.store.database import ContendedError, Database
from hub.streams.batches import MOST, Batch
from hub.streams.books import Books, Claim, FencedError, Gone, MovedError, Place, Progress, SetBackError, UnderWayError
from hub.streams.dead import letter
from hub.streams.faults import may_pass, say
from hub.streams.log import Log
from hub.streams.outage import Outage
from hub.streams.outbox import TableOutbox
from hub.streams.publisher import Publisher, Sent
from hub.streams.room import DeadLetter, Message, Outbox, Record, Room, Step, Waiting
from hub.streams.topics import DEAD_LETTERS, TopicSpec, partition_of

log = logging.getLogger(__name__)

_MARK_EVERY: Final = 1.0  # seconds between writings of how far the publisher got
_LONGEST: Final = 10.0  # seconds a stop waits for messages to be sent
_HANDOVER: Final = 2.0  # seconds the next worker of our partitions waits for them
_MOMENT: Final = 0.05  # seconds
_LOST: Final = 120.0  # seconds without partitions, after they were taken from us, before that is a failure


T = TypeVar("T")
Decide = Callable[[Connection], Step]


class _Done(NamedTuple):
    step: Step
    progress: Progress
    sent: list[Sent]


class Agent:
    """Runs one room; its methods are called in one event loop.

    Args:
        room: what decides.
        database: holds the room's rows and our books.
        stream: the log it reads and publishes to.
        outboxes: by topic, where messages wait; in table `outgoing` unless named here.
        outage: says once that the database is gone, for all agents that share it.
    """

    most = MOST

    def __init__(
        self,
        room: Room,
        database: Database,
        stream: Log,
        outboxes: Mapping[TopicSpec, Outbox],
        outage: Outage,
    ) -> None:
        self.room = room
        self.books = Books(room.name, room.topic.name)
        self.publisher = Publisher(database, stream, self.books, self.outbox)
        self.ready = asyncio.Event()
        self._database = database
        self._log = stream
        self._outboxes: dict[str, Outbox] = {spec.name: outbox for spec, outbox in outboxes.items()}
        self._outage = outage
        self._turn = asyncio.Lock()
        self._marked: dict[Place, int] = {}
        self._marked_at = time.monotonic()
        self._stopping = False
        self.fenced = False
        self.away = True  # nothing is ours: nothing was assigned yet, or it is being divided anew
        self._unsure = False  # memory may not be what is on disk
        self._lost_at: float | None = None
        self._failed: str | None = None
        self._passing: set[asyncio.Future[None]] = set()

    @property
    def failed(self) -> str | None:
        """Why the room does nothing any more, or None."""
        if self._lost_at is not None and time.monotonic() - self._lost_at > _LOST:
            return f"{self.room.name} lost its partitions and was given none since"
        return self._failed

    @property
    def held(self) -> list[int]:
        """The partitions it works on; none while they are divided anew."""
        return [] if self.away else sorted(self.books.next)

    def outbox(self, topic: str) -> Outbox:
        """Where messages to a topic wait."""
        if topic not in self._outboxes:
            self._outboxes[topic] = TableOutbox(self.room.name, topic)
        return self._outboxes[topic]

    def begin(self) -> None:
        """Wait for partitions, in the running loop; after `settle`, once more."""
        self._stopping, self.away, self.fenced, self._lost_at = False, True, False, None
        self._turn, self.ready = asyncio.Lock(), asyncio.Event()
        self.books.begin()
        self.publisher.begin()

    # --- what is ours (`hub.streams.batches.Batched`) ---------------------------------------------------------------

    def positions(self) -> Mapping[int, int]:
        """By partition, from where to read."""
        return self.books.next

    async def assigned(self, partitions: Collection[int]) -> None:
        """Become the one worker of these partitions, and load them; whoever was is fenced."""
        async with self._turn:
            while not (self._stopping or self._failed):
                try:
                    with metrics.LOADING.labels(self.room.name).time():
                        claiming = partial(self.books.claim, partitions=partitions, keep=not self._unsure)
                        claim = await self._write_job(claiming)
                        await asyncio.to_thread(self._load, claim)
                except Exception as error:
                    if not (may_pass(error) or isinstance(error, FencedError)):
                        log.exception("streams.not_loaded", extra={"room": self.room.name})
                        self._failed = say(error)
                        break
                    await self._pass(error)
                else:
                    self._outage.over()
                    self.away, self.fenced, self._lost_at = False, False, None
                    self._marked = {}  # below a mark that is written, messages may wait to be dropped
                    self.publisher.again()
                    metrics.ASSIGNMENTS.labels(self.room.name).inc()
                    metrics.PARTITIONS.labels(self.room.name).set(len(partitions))
                    break
        self.ready.set()

    async def revoked(self) -> None:
        """Give everything up, once what is in hand is done; its messages are sent by us or by who has it next."""
        self.away = True
        metrics.PARTITIONS.labels(self.room.name).set(0)
        async with self._turn:
            await self.publisher.drained(_HANDOVER)
            self.publisher.forget()
            self.fenced = False

    def expired(self, partition: int, first: int, kept: int) -> None:
        """See `Batched`: dead-lettered by the batch that comes up to them, or at once where none is in between."""
        self.books.gone.append(Gone(partition, first, kept))
        passing = asyncio.ensure_future(self._pass_over())
        self._passing.add(passing)
        passing.add_done_callback(self._passing.discard)

    async def _pass_over(self) -> None:
        async with self._turn:
            await self._apply([])

    async def run(self, batches: AsyncIterable[Batch]) -> None:
        """Apply batches until cancelled. Raises nothing."""
        async for batch in batches:
            async with self._turn:
                await self._apply(batch.take())
            await self.publisher.room()

    async def tick(self) -> None:
        """Let the room see time pass, as often as it asks, until cancelled."""
        while self.room.tick_every is not None and not self._failed:
            await asyncio.sleep(self.room.tick_every)
            async with self._turn:
                if self._stopping:
                    return
                if self.away:
                    continue
                try:
                    await self._transact(self._tick, Progress())
                except FencedError as error:
                    self._fenced(error)
                except Exception as error:
                    if may_pass(error):
                        await self._recover(error)
                    else:
                        log.exception("streams.tick_failed", extra={"room": self.room.name})

    async def settle(self) -> None:
        """Wait for the batch in hand, then for its messages; take no more. Gives up where something is down."""
        self._stopping = True
        async with self._turn:
            await self.publisher.drained(_LONGEST)
            if self._failed or self.away or self._unsure or not (marks := self._marks(0)):
                return
            try:
                await self._transact(_nothing, Progress(published=marks))
            except Exception as error:  # noqa: BLE001 - the marks only spare the next start some work
                log.info("streams.marks_unwritten", extra={"room": self.room.name, "reason": say(error)})

    @property
    def _halted(self) -> bool:
        return self._stopping or self.away or self._failed is not None

    # --- one transaction --------------------------------------------------------------------------------------

    async def _apply(self, records: Sequence[Record]) -> None:
        """See to these records, whatever happens; returns when they are committed, or nothing more can be done."""
        while not self._halted:
            fresh, progress = self.books.fresh(records)
            if not progress.next:
                return
            try:
                await self._transact(partial(self._step, fresh), progress, len(fresh))
                self._count(fresh, progress)
            except FencedError as error:
                self._fenced(error)
            except Exception as error:  # noqa: BLE001 - a room may raise anything; every way goes on below
                if may_pass(error) or not records:
                    await self._recover(error)
                    continue
                if len(records) > 1:
                    middle = len(records) // 2
                    await self._apply(records[:middle])
                    await self._apply(records[middle:])
                else:
                    await self._bury(records[0], error)
            return

    def _step(self, fresh: Sequence[Record], connection: Connection) -> Step:
        return self.room.step(connection, fresh) if fresh else Step()

    def _tick(self, connection: Connection) -> Step:
        return self.room.tick(connection) or Step()

    async def _bury(self, record: Record, error: Exception) -> None:
        """Move past a record that cannot be applied, keeping it."""
        log.error(
            "streams.dead_lettered",
            extra={"room": self.room.name, "partition": record.partition, "offset": record.offset},
            exc_info=error,
        )
        dead = Step(dead=[DeadLetter(record, say(error))])
        while not self._halted:
            fresh, progress = self.books.fresh([record])
            if not progress.next:
                return
            try:
                await self._transact(lambda _: dead, progress, len(fresh))
                self._count(fresh, progress)
            except FencedError as fenced:
                self._fenced(fenced)
            except Exception as again:  # noqa: BLE001 - our own statements only: the database is at fault
                await self._recover(again)
            else:
                return

    async def _transact(self, decide: Decide, progress: Progress, records: int = 0) -> None:
        progress.published = progress.published or self._marks(_MARK_EVERY)
        with metrics.TRANSACTION.labels(self.room.name).time():
            try:
                done = await self._write_job(lambda connection: self._write(connection, decide, progress, records))
            except BaseException as error:
                self._unsure = self._unsure or may_pass(error) or not isinstance(error, Exception)
                raise
        self._outage.over()
        self.books.accept(done.progress)
        self._marked |= done.progress.published
        self.publisher.put(done.sent)
        try:
            done.step.after()
        except Exception:
            log.exception("streams.after_failed", extra={"room": self.room.name})
            self._unsure = True
            await asyncio.to_thread(self._reload)

    def _write(self, connection: Connection, decide: Decide, progress: Progress, records: int) -> _Done:
        """A step and everything it comes to; runs on the database's writer thread, inside the transaction."""
        progress.outlets = {}  # those of an attempt that came to nothing are to be given again
        told = bool(progress.next) and connection.dialect.name == "sqlite"  # by writing progress
        with nullcontext() if told else self.books.held(connection), metrics.STEP.labels(self.room.name).time():
            step = decide(connection)
        step.write(connection)
        applied = records - step.duplicates - step.forwarded - len(step.dead) if progress.next else 0
        progress.counts = (applied, step.duplicates + progress.skipped, len(step.dead) + progress.gone, step.forwarded)
        now = time.time()
        publish = dict(step.publish)
        if step.dead and self.room.topic != DEAD_LETTERS:  # a letter that cannot be applied is logged, not sent around
            letters = [letter(self.room.name, self.room.topic.name, dead, now) for dead in step.dead]
            publish[DEAD_LETTERS] = [*publish.get(DEAD_LETTERS, ()), *letters]
        sent: list[Sent] = []
        for spec, messages in publish.items():
            waiting: list[Waiting] = []
            for source, group in self._by_source(messages).items():
                first = self.books.outlets.get((spec.name, source), 1)
                progress.outlets[spec.name, source] = first + len(group)
                waiting += [Waiting(source, sequence, message) for sequence, message in enumerate(group, first)]
            self.outbox(spec.name).append(connection, waiting)
            sent += self.publisher.entries(spec.name, waiting, now)
        for (topic, partition), through in progress.published.items():
            self.outbox(topic).published(connection, partition, through)
        self.books.write(connection, progress)
        return _Done(step, progress, sent)

    def _count(self, fresh: Sequence[Record], progress: Progress) -> None:
        """For whoever watches: a batch at a time, never an event."""
        room, now = self.room.name, time.time()
        metrics.BATCH.labels(room).observe(len(fresh))
        metrics.AGE.observe(room, [now - record.timestamp for record in fresh])
        for outcome, many in zip(("applied", "duplicate", "dead", "forwarded"), progress.counts, strict=True):
            metrics.RECORDS.labels(room, outcome).inc(many)

    def _by_source(self, messages: Sequence[Message]) -> Mapping[int, list[Message]]:
        """Messages by the partition of ours whose sequence they carry: their own, or our first, if it is another's."""
        held = self.books.next
        first = min(held, default=0)
        found: dict[int, list[Message]] = defaultdict(list)
        for message in messages:
            partition = partition_of(message.key, self._log.partitions)
            found[partition if partition in held else first].append(message)
        return found

    def _marks(self, age: float) -> dict[tuple[str, int], int]:
        """How far publishing got, where that is news; nothing if it was written less than `age` seconds ago."""
        if time.monotonic() - self._marked_at < age:
            return {}
        self._marked_at = time.monotonic()
        known, held = self.books.published.items(), self.books.next
        return {at: mark for at, mark in known if at[1] in held and self._marked.get(at, 0) != mark}

    # --- when it goes wrong -----------------------------------------------------------------------------------

    def fail(self, why: str) -> None:
        """Do nothing any more: only a start can mend it."""
        log.error("streams.room_failed", extra={"room": self.room.name, "reason": why})
        self._failed = why

    def _fenced(self, error: FencedError) -> None:
        log.error("streams.fenced", extra={"room": self.room.name, "reason": str(error)})
        metrics.FENCED.labels(self.room.name).inc()
        if self._log.shared:
            self.away, self.fenced, self._lost_at = True, True, time.monotonic()
        else:
            self._failed = str(error)

    async def _pass(self, error: Exception) -> None:
        """Wait a little before the same again: a moment where somebody was quicker, longer where something is down."""
        if isinstance(error, ContendedError | FencedError | UnderWayError | MovedError):
            await asyncio.sleep(random.uniform(0.0, _MOMENT))  # noqa: S311 - so that two do not meet again
        else:
            await self._outage.wait(say(error))

    async def _recover(self, error: Exception) -> None:
        """Wait until the database answers; it says where we stand, for it may have kept what it did not confirm."""
        while not self._halted:
            await self._pass(error)
            try:
                await self._write_job(self.books.settle)
                await asyncio.to_thread(self._reload)
            except FencedError as fenced:
                self._fenced(fenced)
                return
            except SetBackError as back:
                self.fail(say(back))
                return
            except Exception as again:  # noqa: BLE001 - whatever it is, the room cannot go on without its rows
                error = again
            else:
                self.publisher.again()
                return

    def _load(self, claim: Claim) -> None:
        self._unsure = True
        with self._database.read() as connection:
            self.books.load(connection, claim)
            self.room.assign(connection, sorted(claim.epochs), claim.kept)
        self._unsure = False

    def _reload(self) -> None:
        self._load(Claim(self.books.epochs, frozenset()))

    def _write_job(self, job: Callable[[Connection], T]) -> Awaitable[T]:
        return asyncio.wrap_future(self._database.write(job))


def _nothing(_connection: Connection) -> Step:
    return Step()
