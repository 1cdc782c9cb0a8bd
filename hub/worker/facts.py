"""What the pages are handed: facts about this process, and the few things a person may make it do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Connection

from hub.ingest.deadletters import Dead
from hub.ingest.intake import seal
from hub.sdk.events import Event
from hub.store.expendable.hot import Hot
from hub.store.heartbeats import Process, alive
from hub.success.next.proposing import Next
from hub.web import processes
from hub.web.context import Context, Halt, Listening, Plugin
from hub.worker.pace import Pace
from scoring.explaining.answers import Answers
from scoring.explaining.explain import Explanation, explain
from scoring.families.by_hand import OURS
from scoring.scorers import Scorers

if TYPE_CHECKING:
    from hub.worker.hub import Hub

T = TypeVar("T")
N = TypeVar("N", int, float)
_DAY: Final = 86_400.0
_PATIENCE: Final = 30.0


class Facts:
    """Answers for pages, asked from the server's threads: of the whole installation, whatever runs in this process.

    Args:
        hub: the process.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pace = Pace(hub.engine.log, hub.condition.behind)
        self._scorers = Scorers(hub.engine.config, hub.engine.panel)

    def start(self) -> None:
        """Begin to sample, in the main loop; what pages ask to be done is done there too."""
        self._loop = asyncio.get_running_loop()
        self._pace.start()

    def stop(self) -> None:
        """Sample no more."""
        self._pace.stop()

    def context(self, version: str) -> Context:
        """Everything the web face is handed."""
        hub = self._hub
        return Context(
            settings=hub.settings,
            database=hub.engine.database,
            live=hub.engine.live,
            hot=Hot(hub.engine.expendable),
            explain=self._explain,
            answers=Answers(hub.engine.config, self._scorers),
            next=Next(hub.engine.actions, hub.engine.config, self._scorers),
            config=hub.engine.config,
            measures=hub.registry.measures(),
            panel=hub.engine.panel,
            lag=self._asked(hub.condition.behind.records),
            counters=self._asked(self._books),
            rates=self._pace.rates,
            sources=self._sources,
            sinks=[sink.name for sink in hub.configured.sinks],
            plugins=[
                Plugin(name=p.name, state="failed" if p.problem else "loaded", reason=p.problem or "")
                for p in hub.registry.plugins
            ],
            processes=self._processes,
            me=hub.engine.leases.holder,
            partitions=hub.engine.log.partitions,
            halted=self._halted,
            ready=partial(hub.condition.unable, database=False),
            dying=hub.condition.dying,
            behind=self._asked(hub.condition.behind.seconds),
            deliveries=self,
            tell=self._tell,
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

    def _tell(self, event: Event) -> None:
        intake, now = self._hub.engine.intake, datetime.now(UTC)
        intake.append(intake.pack([seal(event, OURS, now)], now.timestamp())).result(_PATIENCE)

    def _asked(self, answer: Callable[[], Mapping[str, N]]) -> Callable[[], Mapping[str, N]]:
        """The answer, unless it would have to be waited for: the log is away."""

        def ask() -> Mapping[str, N]:
            self._pace.check()
            return answer()

        return ask

    def _books(self) -> Mapping[str, int]:
        return {name: count for name, count in asdict(self._hub.engine.books()).items() if name != "astray"}

    def _sources(self) -> Sequence[Listening]:
        counted = self._hub.door.counted()
        return [
            Listening(name=one.name, vendor=one.vendor, path=f"/in/{one.name}", **counted.get(one.name, {}))
            for one in self._hub.configured.sources
        ]

    def _processes(self) -> Sequence[Process]:
        """All that were heard of in a day."""
        with self._hub.engine.database.read() as connection:
            return alive(connection, within=_DAY)

    def _halted(self) -> Sequence[Halt]:
        """Rooms that stand still, here or in another process."""
        with self._hub.engine.database.read() as connection:
            return processes.halts(alive(connection))
