"""An installation that has been at work: named customers, an hour of their events, all of it scored."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.traffic import everybody, fill, traffic
from hub.registry import Configured, Registry
from hub.settings import Settings
from hub.worker.engine import Engine

_PATIENCE = 120.0


@contextmanager
def installation(accounts: int, events: int = 20_000) -> Iterator[Path]:
    """A data folder, thrown away afterwards. With no accounts it is empty."""
    with tempfile.TemporaryDirectory(prefix="pulsehub-bench-") as name:
        if accounts:
            asyncio.run(_work(Path(name), accounts, events))
        yield Path(name)


async def _work(folder: Path, accounts: int, events: int) -> None:
    async with Engine(Settings(data=folder), Registry([]), Configured()) as engine:
        fill(engine.log, everybody(accounts) + traffic(events, accounts))
        assert await engine.drained(_PATIENCE), "the installation was not scored in time"
