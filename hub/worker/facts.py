"""What the pages are handed: facts about this process, and the few things a person may make it do."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Connection, func, select

from hub.ingest.deadletters import Dead
from hub.store import schema
from hub.store.expendable.hot import Hot
from hub.store.heartbeats import alive
from hub.streams.topics import ACTIONS, EVENTS, HEALTH
from hub.web.context import Context, Halt, Listening, Plugin
from scoring.explain import Explanation, explain
from scoring.scorers import Scorers

if TYPE_CHECKING:
    from hub.worker.hub import Hub

T = TypeVar("T")
_WINDOW: Final = 60.0  # seconds that rates are taken over
_SAMPLE: Final = 5.0
_PATIENCE: Final = 30.0


class Facts:
    """Answers for pages, asked from the server's threads: of the whole installation, whatever runs in this process.

    Args:
        hub: the process.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._loop: asyncio.AbstractEventLoop | None = None
        self._halts: dict[str, float] = {}
        self._sampling: asyncio.Task[None] | None = None
        self._scorers = Scorers(hub.engine.config)
        self._marks: deque[tuple[float, dict[str, int]]] = deque()

    def start(self) -> None:
        """Begin to sample, in the main loop; what pages ask to be done is done there too."""
        self._loop = asyncio.get_running_loop()
        self._sampling = self._loop.create_task(self._sample(), name="sample rates")

    def stop(self) -> None:
        """Sample no more."""
        if self._sampling:
            self._sampling.cancel()

    def context(self, version: str) -> Context:
        """Everything the web face is handed."""
        hub = self._hub
        return Context(
            settings=hub.settings,
            database=hub.engine.database,
            live=hub.engine.live,
            hot=Hot(hub.engine.expendable),
            explain=self._explain,
            lag=self._lag,
            counters=lambda: {k: v for k, v in asdict(hub.engine.books()).items() if k != "astray"},
            rates=self._rates,
            sources=self._sources,
            sinks=[sink.name for sink in hub.configured.sinks],
            plugins=[
                Plugin(name=p.name, state="failed" if p.problem else "loaded", reason=p.problem or "")
                for p in hub.registry.plugins
            ],
            halted=self._halted,
            ready=partial(hub.condition.unable, database=False),
            dying=hub.condition.dying,
            behind=hub.condition.behind.seconds,
            deliveries=self,
            replay_dead_letters=lambda ids: hub.replay().run(ids).letters,
            door_paths=("/in/", *(path for source in hub.configured.sources for path in source.paths)),
            version=version,
        )

    def pause(self, sink: str, reason: str) -> None:
        """Stop pushing to a destination."""
        self._do(self._hub.deliveries.pause(sink, reason))

    def resume(self, sink: str) -> None:
        """Go on pushing."""
        self._do(self._hub.deliveries.resume(sink))

    def replay(self, sink: str) -> int:
        """Make what a destination rejected due again; how many there were."""
        return self._do(self._hub.deliveries.replay(sink))

    def deliver_again(self, letter: Dead) -> bool:
        """Hand a dead letter of a delivery to its destination again; False if there is none any more."""
        sink = str(letter.context.get("sink") or letter.connection)
        if sink not in {one.name for one in self._hub.configured.sinks}:
            return False
        return self._do(self._hub.deliveries.replay(sink, str(letter.context.get("key") or "") or None)) > 0

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError("the hub is not running")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    def _explain(self, connection: Connection, account: str) -> Explanation | None:
        return explain(connection, account, self._hub.engine.config, self._scorers)

    def _lag(self) -> Mapping[str, int]:
        """Of every room, wherever it runs."""
        engine, table = self._hub.engine, schema.offsets
        with engine.database.read() as connection:
            asked = select(table.c.room, table.c.topic, func.sum(table.c.next)).group_by(table.c.room, table.c.topic)
            rows = connection.execute(asked).all()
        ends = {topic: sum(engine.log.ends(topic).values()) for _, topic, _ in rows}
        return {room: max(0, ends[topic] - int(done)) for room, topic, done in rows}

    def _rates(self) -> Mapping[str, float]:
        if not self._marks:
            return {}
        then, before = self._marks[0]
        seconds = max(1.0, time.monotonic() - then)
        return {name: (end - before[name]) / seconds for name, end in self._ends().items()}

    def _ends(self) -> dict[str, int]:
        ends = self._hub.engine.log.ends
        return {spec.name: sum(ends(spec.name).values()) for spec in (EVENTS, HEALTH, ACTIONS)}

    async def _sample(self) -> None:
        while True:
            self._marks.append((time.monotonic(), await asyncio.to_thread(self._ends)))
            while self._marks[-1][0] - self._marks[0][0] > _WINDOW:
                self._marks.popleft()
            await asyncio.sleep(_SAMPLE)

    def _sources(self) -> Sequence[Listening]:
        counted = self._hub.door.counted()
        return [
            Listening(name=one.name, vendor=one.vendor, path=f"/in/{one.name}", **counted.get(one.name, {}))
            for one in self._hub.configured.sources
        ]

    def _halted(self) -> Sequence[Halt]:
        """Rooms that stand still, here or in another process."""
        engine = self._hub.engine
        with engine.database.read() as connection:
            others = [one for one in alive(connection) if one.id != engine.leases.holder]
        said = {one.id: str(one.state.get("failed") or "") for one in others}
        said[engine.leases.holder] = engine.streams.failed or ""
        now = time.time()
        self._halts = {who: self._halts.get(who, now) for who, reason in said.items() if reason}
        return [Halt(room="streams", reason=said[who], since=since) for who, since in self._halts.items()]
