"""The stream on Apache Kafka: our topics under a prefix, our offsets counted on where a topic began anew.

Three things differ from the embedded log. Records of one `append` are acknowledged together but not written together:
after a `LogError` some may be there. What appends count is in the database, about a second later. And retention is the
broker's: it waits for no reader.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, Self, TypeVar

from aiokafka.errors import KafkaError
from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import SQLAlchemyError
from yarl import URL

from hub.sdk.errors import ConfigError
from hub.store import schema
from hub.store.database import Database
from hub.store.upserts import insert
from hub.streams.batches import Batched
from hub.streams.kafka.appending import Appending
from hub.streams.kafka.broker import Broker
from hub.streams.kafka.counting import Counting
from hub.streams.kafka.declaring import LARGEST, Admin, declare
from hub.streams.kafka.loop import Loop
from hub.streams.kafka.outage import Outage, say
from hub.streams.kafka.reading import Reading
from hub.streams.kafka.records import records_of
from hub.streams.kafka.refusal import refused
from hub.streams.log import Entry, LogError
from hub.streams.room import Record
from hub.streams.topics import TopicSpec

T = TypeVar("T")

_AROUND: Final = 1024  # bytes of a record beside its key and value
_IMPATIENT: Final = 1.0  # seconds an answer is waited for while the broker is known to be gone
_BYTES: Final = (bytes, type(None))
_TABLE: Final = schema.bases


class KafkaLog:
    """A log that is open; safe from any thread and from within event loops: what blocks does so for milliseconds.

    Args:
        broker: the cluster and our prefix there.
        partitions: of each topic; topics that are there must have as many.
        database: keeps what a broker cannot: bases of offsets, counters.

    Raises:
        ConfigError: the cluster does not let us in.
        LogError: it does not answer.
    """

    shared = True

    def __init__(self, broker: Broker, partitions: int, database: Database) -> None:
        quiet = logging.getLogger("aiokafka")  # it tells every attempt to reach a broker that is gone; we say it once
        if quiet.level == logging.NOTSET:
            quiet.setLevel(logging.CRITICAL)
        self.broker = broker
        self.partitions = partitions
        self.outage = Outage(broker.place)
        self._database = database
        self._client = broker.client()
        self._topics: dict[str, TopicSpec] = {}
        self._bases: dict[str, dict[int, int]] = {}
        self._closing = threading.Lock()
        self._closed = False
        self._loop = Loop("kafka-log")
        self._counting = Counting(database)
        self._admin: Admin | None = None
        self._identity = ""
        self._appending = self._loop.call(self._make(), broker.patience)
        self._reading, self._bounds = Reading(broker), Reading(broker)
        try:
            self._loop.call(self._appending.start(), broker.patience)
        except (KafkaError, OSError, TimeoutError) as error:
            why = self._loop.call(refused(broker, error), broker.patience)
            self.close()
            raise why from None

    @classmethod
    def at(cls, url: str, partitions: int, database: Database) -> Self:
        """The log at `kafka://host:port/prefix`, see `hub.streams.kafka.broker.Broker.at`."""
        return cls(Broker.at(url), partitions, database)

    @property
    def place(self) -> str:
        """The servers and our prefix; no password."""
        return self.broker.place

    @property
    def identity(self) -> str:
        """The cluster's id and our prefix. Raises LogError."""
        if not self._identity:
            self._identity = f"kafka:{self._ask(self._cluster())}/{self.broker.prefix}"
        return self._identity

    # --- topics -----------------------------------------------------------------------------------------------

    def declare(self, spec: TopicSpec, partitions: int | None = None) -> None:
        """See `hub.streams.log.Log`. A topic that is not there begins at 0, whatever was known of an earlier one.

        Raises:
            ConfigError: it has another number of partitions, or we may not make or change it.
            LogError: the broker does not answer.
        """
        number = partitions or self.partitions
        if number != self.partitions:
            raise ConfigError(f"topic {spec.name} cannot have {number} partitions: all have {self.partitions}")
        if self._topics.get(spec.name) == spec:
            return
        if self._ask(self._declare(spec)):  # a server that does not know a topic yet is not believed that there is none
            self._keep_bases(spec.name, {}, anew=True)
        self._load_bases(spec.name)
        self._topics[spec.name] = spec

    def begin(self, topic: str, offsets: Mapping[int, int]) -> None:
        """See `hub.streams.log.Log`."""
        starts, ends = self._ask(self._both(topic))
        empty = {p: wanted - ends[p] for p, wanted in offsets.items() if starts[p] == ends[p]}
        self._keep_bases(topic, empty)
        self._load_bases(topic)

    def bases(self, topic: str) -> Mapping[int, int]:
        """By partition, what our offsets are ahead of the broker's; where there is none it is 0."""
        if topic not in self._bases:
            self._load_bases(topic)
        return self._bases[topic]

    def renew(self, topics: Iterable[str]) -> None:
        """Another process may have begun topics of the cluster anew: have their bases as the database has them.

        Raises:
            LogError: it does not answer.
        """
        try:
            for topic in topics:
                self._load_bases(self.ours(topic))
        except SQLAlchemyError as error:
            raise LogError(f"the database {self._database.name} does not answer: {type(error).__name__}") from error

    def trim(self, now: float, needed: Mapping[str, Mapping[int, int]]) -> int:  # noqa: ARG002 - the contract's
        """Nothing to do: the broker lets go of what is past its retention."""
        return 0

    # --- reading ----------------------------------------------------------------------------------------------

    def read(self, topic: str, positions: Mapping[int, int], limit: int) -> list[Record]:
        """See `hub.streams.log.Reads`.

        Raises:
            LogError: the broker does not answer.
        """
        bases = self.bases(topic)
        theirs = {p: max(0, offset - bases.get(p, 0)) for p, offset in positions.items()}
        found = self._ask(self._reading.read(self.named(topic), theirs, limit))
        return [record for p, records in found.items() for record in records_of(records, bases.get(p, 0))]

    def ends(self, topic: str) -> dict[int, int]:
        """See `hub.streams.log.Reads`. Raises LogError."""
        return self._ahead(topic, self._ask(self._offsets(topic, self._bounds.ends)))

    def starts(self, topic: str) -> dict[int, int]:
        """See `hub.streams.log.Reads`. Raises LogError."""
        return self._ahead(topic, self._ask(self._offsets(topic, self._bounds.starts)))

    def kept(self, topic: str) -> Future[tuple[dict[int, int], dict[int, int]]]:
        """Where a topic starts and ends, in the broker's offsets; for who must not block. Raises as aiokafka."""
        return self._loop.future(self._both(topic), self.broker.patience)

    def counters(self) -> dict[str, int]:
        """What appends were told to count: by this process, and by others until about a second ago."""
        return self._counting.read()

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to the counters, beside an append."""
        self._counting.add(counts)

    # --- appending --------------------------------------------------------------------------------------------

    def append(self, entries: Sequence[Entry], counts: Mapping[str, int] | None = None) -> Future[None]:
        """See `hub.streams.log.Log`. When it fails, what else waits for the same partition by then fails too.

        Raises:
            KeyError: nobody has declared the topic here.
            ValueError: no such partition, key or value are not bytes, or together they are too large.
            LogError: the log is closed.
        """
        for entry in entries:
            self._check(entry)
        with self._closing:
            if self._closed:
                raise LogError(f"the log {self.place} is closed")
            return self._appending.put(entries, counts or {})

    # --- Faust ------------------------------------------------------------------------------------------------

    def app(self, name: str) -> tuple[str, Sequence[Any]]:
        """See `hub.streams.log.Log`."""
        return self.named(name), [URL(f"kafka://{server}") for server in self.broker.servers]

    def named(self, topic: str) -> str:
        """Its name on the cluster."""
        return self.broker.named(topic)

    def ours(self, topic: str) -> str:
        """What we call a topic of the cluster."""
        return topic.removeprefix(f"{self.broker.prefix}.")

    def transport(self, app: Any, batched: Mapping[str, Batched]) -> Any:
        """See `hub.streams.log.Log`."""
        from hub.streams.kafka.transport import Transport  # noqa: PLC0415 - which needs us

        return Transport([URL(f"kafka://{server}") for server in self.broker.servers], app, log=self, batched=batched)

    def close(self) -> None:
        """Send what was handed in, within the broker's patience, then disconnect."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        with suppress(TimeoutError, KafkaError, OSError):
            self._loop.call(self._end(), 2 * self.broker.patience)
        self._loop.close()
        self._counting.close()

    # --- inside -----------------------------------------------------------------------------------------------

    async def _make(self) -> Appending:
        return Appending(self.broker, asyncio.get_running_loop(), self.outage, self._counting)

    async def _end(self) -> None:
        await self._appending.close()
        await self._reading.close()
        await self._bounds.close()
        if self._admin is not None:
            await self._admin.close()

    async def _declare(self, spec: TopicSpec) -> bool:
        return await declare(await self._administer(), self.named(spec.name), spec, self.partitions)

    async def _cluster(self) -> str:
        return await (await self._administer()).cluster()

    async def _offsets(self, topic: str, ask: Any) -> dict[int, int]:
        number: int | None = self.partitions
        if topic not in self._topics:
            number = await (await self._administer()).partitions(self.named(topic))
        found: dict[int, int] = await ask(self.named(topic), number) if number else {}
        return found

    async def _both(self, topic: str) -> tuple[dict[int, int], dict[int, int]]:
        starts = await self._offsets(topic, self._bounds.starts)
        return starts, await self._offsets(topic, self._bounds.ends)

    async def _administer(self) -> Admin:
        if self._admin is None:
            admin = Admin(request_timeout_ms=int(self.broker.patience * 1000), **self._client)
            try:
                await admin.start()
            except BaseException:
                await admin.close()
                raise
            self._admin = admin
        return self._admin

    def _ask(self, question: Coroutine[Any, Any, T]) -> T:
        """Have it answered in the log's own loop, soon or not at all."""
        if self._closed:
            question.close()
            raise LogError(f"the log {self.place} is closed")
        try:
            answer = self._loop.call(question, _IMPATIENT if self.outage.lasts else self.broker.patience)
        except (KafkaError, OSError, TimeoutError) as error:
            self.outage.begin(say(error))
            raise LogError(f"the broker {self.place} does not answer: {say(error)}") from error
        self.outage.over()
        return answer

    def _ahead(self, topic: str, offsets: Mapping[int, int]) -> dict[int, int]:
        bases = self.bases(topic)
        return {partition: offset + bases.get(partition, 0) for partition, offset in offsets.items()}

    def _load_bases(self, topic: str) -> None:
        with self._database.read() as connection:
            rows = connection.execute(select(_TABLE.c.partition, _TABLE.c.base).where(_TABLE.c.topic == topic))
            self._bases[topic] = {row.partition: row.base for row in rows}

    def _keep_bases(self, topic: str, bases: Mapping[int, int], *, anew: bool = False) -> None:
        rows = [{"topic": topic, "partition": partition, "base": base} for partition, base in bases.items()]
        statement = insert(_TABLE)
        keep = statement.on_conflict_do_update(
            index_elements=list(_TABLE.primary_key), set_={"base": statement.excluded.base}
        )

        def job(connection: Connection) -> None:
            if anew:
                connection.execute(delete(_TABLE).where(_TABLE.c.topic == topic))
            if rows:
                connection.execute(keep, rows)

        self._database.write(job).result()

    def _check(self, entry: Entry) -> None:
        if entry.topic not in self._topics:
            raise KeyError(entry.topic)
        if not 0 <= entry.partition < self.partitions:
            raise ValueError(f"topic {entry.topic} has no partition {entry.partition}")
        if type(entry.key) not in _BYTES or type(entry.value) not in _BYTES:
            raise ValueError("key and value of a record are bytes")
        if len(entry.key or b"") + len(entry.value or b"") + _AROUND > LARGEST:
            raise ValueError(f"a record of topic {entry.topic} has at most {LARGEST - _AROUND} bytes")
