"""The streams of one process: its log, its Faust apps, its rooms. What the composition root starts and stops."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, Final, Self

import faust
from faust.tables.manager import TableManager
from sqlalchemy import func, select

from hub.sdk.errors import ConfigError
from hub.store import schema
from hub.store.database import Database
from hub.streams.agent import Agent
from hub.streams.aligning import align
from hub.streams.batches import BatchSchema
from hub.streams.log import Log, LogError
from hub.streams.outage import Outage
from hub.streams.room import Outbox, Room
from hub.streams.topics import ALL, TopicSpec

log = logging.getLogger(__name__)

_TRIM_EVERY: Final = 3600.0  # seconds


class Streams:
    """Every room of this process, run in the event loop that calls `start`.

    Args:
        database: where rooms keep their rows, and we the offsets.
        stream: the log; the door appends to the same one.
    """

    def __init__(self, database: Database, stream: Log) -> None:
        self.database = database
        self.log = stream
        self._agents: dict[str, list[Agent]] = {}
        self._apps: list[Any] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._outage = Outage()
        for spec in ALL:
            stream.declare(spec)

    def add(self, room: Room, *, app: str, outboxes: Mapping[TopicSpec, Outbox] | None = None) -> None:
        """Run `room` in the Faust app `app` (`scoring`, `success`, `sinks`, `ingest`); before `start`.

        `outboxes` names the topics whose messages wait somewhere else than in table `outgoing`.

        Raises:
            ConfigError: two rooms have one name, or read one topic in one app.
        """
        if any(agent.room.name == room.name for agents in self._agents.values() for agent in agents):
            raise ConfigError(f"two rooms are called {room.name}")
        if any(agent.room.topic == room.topic for agent in self._agents.get(app, ())):
            raise ConfigError(f"two rooms of app {app} read topic {room.topic.name}: put one into an app of its own")
        self.log.declare(room.topic)
        agent = Agent(room, self.database, self.log, outboxes or {}, self._outage)
        self._agents.setdefault(app, []).append(agent)

    async def start(self) -> None:
        """Begin; on a log of our own, return once every room has loaded all its partitions."""
        for name in ("faust", "mode"):  # they tell their whole life at level info
            if logging.getLogger(name).level == logging.NOTSET:
                logging.getLogger(name).setLevel(logging.WARNING)
        await asyncio.to_thread(self._align)
        self._apps = [_app(name, agents, self.log) for name, agents in self._agents.items()]
        for agent in self._all():
            agent.begin()
            self._tasks += [asyncio.create_task(agent.publisher.run()), asyncio.create_task(agent.tick())]
        await asyncio.gather(*(app.start() for app in self._apps))
        if not self.log.shared:  # else it is others, too, who decide when we are given something
            await asyncio.gather(*(agent.ready.wait() for agent in self._all()))
        self._tasks.append(asyncio.create_task(self._trim()))

    async def stop(self) -> None:
        """Finish the batches in hand, send what is committed, end the apps. The log and the database stay open."""
        await asyncio.gather(*(agent.settle() for agent in self._all()))
        await asyncio.gather(*(app.stop() for app in self._apps))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._apps, self._tasks = [], []

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def failed(self) -> str | None:
        """Why a room stopped for good (another process has claimed it, its Faust app has crashed), or None."""
        return next(iter(self.halted().values()), None)

    def halted(self) -> dict[str, str]:
        """Room -> why it stopped for good; of those that did."""
        crashed = [f"{app.conf.id} crashed: {app.crash_reason!r}" if app.crashed else None for app in self._apps]
        reasons = {
            agent.room.name: agent.failed or crash
            for agents, crash in zip_longest(self._agents.values(), crashed)  # before the start there are no apps
            for agent in agents
        }
        return {room: reason for room, reason in reasons.items() if reason}

    def ready(self) -> bool:
        """Whether every room has been given its partitions and has loaded them, and nobody has taken them since."""
        return not self.failed and all(agent.ready.is_set() and not agent.away for agent in self._all())

    def held(self) -> dict[str, list[int]]:
        """Room -> the partitions of its topic that are ours; none while they are divided anew."""
        return {agent.room.name: agent.held for agent in self._all()}

    def lag(self) -> dict[tuple[str, str, int], int]:
        """(room, topic, partition) -> records in the log that the room has not committed yet, where they are ours."""
        ends = {topic: self.log.ends(topic) for topic in {agent.room.topic.name for agent in self._all()}}
        return {
            (agent.room.name, agent.room.topic.name, partition): ends[agent.room.topic.name].get(partition, 0) - next_
            for agent in self._all()
            for partition, next_ in agent.books.next.items()
        }

    def idle(self) -> bool:
        """Whether every record is committed and every message of every room is in the log."""
        return self.ready() and all(agent.publisher.idle for agent in self._all()) and not any(self.lag().values())

    def trim(self, now: float) -> int:
        """Let go of what no room needs any more and is past its retention or superseded; returns how many records.

        What a room needs is read from the database, so rooms that run in other processes count too. Waits for the
        log: not for an event loop.
        """
        offsets = schema.offsets
        needed: dict[str, dict[int, int]] = {}
        with self.database.read() as connection:
            rows = connection.execute(
                select(offsets.c.topic, offsets.c.partition, func.min(offsets.c.next)).group_by(
                    offsets.c.topic,
                    offsets.c.partition,
                ),
            )
            for topic, partition, lowest in rows:
                needed.setdefault(topic, {})[partition] = lowest
        return self.log.trim(now, needed)

    def _align(self) -> None:
        with self.database.alone():
            align(self.database, self.log)

    async def _trim(self) -> None:
        while True:
            await asyncio.sleep(_TRIM_EVERY)
            try:
                gone = await asyncio.to_thread(self.trim, time.time())
                log.debug("streams.trimmed", extra={"records": gone})
            except LogError as error:
                log.warning("streams.trim_failed", extra={"reason": str(error)})

    def _all(self) -> list[Agent]:
        return [agent for agents in self._agents.values() for agent in agents]


class _NoTables(TableManager):  # type: ignore[misc]
    """Faust waits a second for tables to be declared; our rooms keep theirs in the database."""

    logger = logging.getLogger("faust.sqlite.tables")

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class _App(faust.App):  # type: ignore[misc]
    """A Faust app that leaves no folders behind."""

    logger = logging.getLogger("faust.sqlite.app")

    def _create_directories(self) -> None:
        """It keeps nothing in files."""

    def on_rebalance_return(self) -> None:
        """Where one rebalance overtook another, Faust ends it first and then warns that there is none."""
        if self.rebalancing:
            super().on_rebalance_return()

    def on_rebalance_end(self) -> None:
        """Twice, where two followed each other closely; the second is no news."""
        if self.rebalancing:
            super().on_rebalance_end()


def _app(name: str, agents: list[Agent], stream: Log) -> Any:
    called, urls = stream.app(name)
    app = _App(
        called,
        broker=list(urls),
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=stream.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        broker_commit_interval=60.0,  # nothing is committed by Faust: the database holds the offsets
        web_enabled=False,
        TableManager=_NoTables,
    )
    # Faust would make a transport that opens the log again
    app._transport = stream.transport(  # noqa: SLF001
        app, {agent.room.topic.name: agent for agent in agents}
    )
    app._producer_transport = app._transport  # noqa: SLF001 - same
    for agent in agents:
        channel = app.topic(stream.named(agent.room.topic.name), schema=BatchSchema(), acks=False)
        app.agent(channel, name=agent.room.name)(_runner(agent))
    return app


def _runner(agent: Agent) -> Any:
    async def run(stream: Any) -> None:
        await agent.run(stream)

    return run
