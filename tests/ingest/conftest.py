"""A door on a real socket, over a real log and a real database, and a small vendor to knock at it."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest

import hub
from hub.ingest.deadletters import Dead
from hub.ingest.door import Door
from hub.ingest.intake import Intake
from hub.ingest.pressure import Pressure
from hub.serving import Serving
from hub.store.database import Database
from hub.streams.log import Log
from hub.streams.opening import open_log
from hub.streams.room import Record
from hub.streams.sqlite.log import SqliteLog
from hub.streams.topics import ALL
from tests.streams.kafka.cluster import cluster

KEY: Final = {"x-key": "sesame"}
PARTITIONS: Final = 4


@dataclass
class Acme:
    """A vendor that speaks JSON lists of records and shows a shared key."""

    name: str = "acme"
    vendor: str = "acme"
    paths: Sequence[str] = ("/v1/acme",)
    keeps_raw: bool = True
    remembers: timedelta | None = None
    mended: bool = False
    normalized: list[bytes] = field(default_factory=list)

    def verify(self, hook: hub.Webhook, now: datetime) -> None:
        if not hmac.compare_digest(hook.headers.get("x-key", "").encode(), b"sesame"):
            raise hub.BadSignatureError("x-key is not PULSEHUB_ACME_KEY")

    def decode(self, hook: hub.Webhook, now: datetime) -> Sequence[hub.Raw]:
        records = json.loads(hook.body)
        if not isinstance(records, list):
            raise hub.MalformedError("not a list")
        return [
            hub.Raw(body=json.dumps(r).encode("utf-8", "surrogatepass"), received_at=now, path=hook.path)
            for r in records
        ]

    def normalize(self, raw: hub.Raw) -> Iterable[hub.Event]:
        self.normalized.append(raw.body)
        record = json.loads(raw.body)
        for part in record.get("both", [record]):
            yield hub.Event(
                id=f"acme:{part['id']}",
                kind=part.get("kind", "usage.tracked"),
                account=f"acme:company:{part['fixed' if self.mended and 'fixed' in part else 'company']}",
                occurred_at=datetime.fromisoformat(part.get("at", "2026-03-01T10:00:00+00:00")),
                amount=Decimal(part["amount"]) if "amount" in part else None,
                currency=part.get("currency"),
                value=part.get("value"),
                text=part.get("text"),
                properties=part.get("properties", {}),
            )


@dataclass
class Front:
    """Everything behind one door, and a client before it."""

    url: str
    http: httpx.Client
    log: Log
    database: Database
    intake: Intake
    door: Door
    source: Acme

    def post(self, records: Any, path: str = "/in/acme", **headers: str) -> httpx.Response:
        body = records if isinstance(records, bytes) else json.dumps(records).encode()
        return self.http.post(
            path, content=body, headers={**KEY, **{k.replace("_", "-"): v for k, v in headers.items()}}
        )

    def records(self, topic: str) -> list[Record]:
        return self.log.read(topic, self.log.starts(topic), 100_000)

    def events(self) -> list[hub.Event]:
        return [msgspec.json.decode(r.value, type=hub.Event) for r in self.records("events")]

    def letters(self) -> list[Dead]:
        return [msgspec.json.decode(r.value, type=Dead) for r in self.records("dead-letters")]


@contextmanager
def opened_log(folder: Path) -> Iterator[SqliteLog]:
    log = SqliteLog(folder / "streams.db")
    for topic in ALL:
        log.declare(topic)
    yield log
    log.close()


@contextmanager
def standing(
    log: Log,
    database: Database,
    folder: Path,
    *sources: hub.Source,
    max_lag: int = 200_000,
    min_free_disk: int = 0,
    **settings: Any,
) -> Iterator[Front]:
    """A door with these sources and settings."""
    intake = Intake(log, database)
    pressure = Pressure(log, database, folder=folder, max_lag=max_lag, min_free_disk=min_free_disk)
    door = Door(sources, intake, pressure, versions={"acme": "acme 1.0"}, **settings)
    with Serving(door) as serving, httpx.Client(base_url=serving.url, timeout=20) as http:
        yield Front(serving.url, http, log, database, intake, door, sources[0])
    door.close()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    with opened_log(tmp_path) as ours:
        yield ours


@pytest.fixture
def open_front(log: SqliteLog, database: Database, tmp_path: Path) -> Iterator[Callable[..., Front]]:
    """Open a door of this test's own, by default to Acme."""
    with ExitStack() as closing:
        yield lambda *sources, **settings: closing.enter_context(
            standing(log, database, tmp_path, *(sources or (Acme(),)), **settings)
        )


@pytest.fixture
def open_everywhere(engine: str, database: Database, tmp_path: Path) -> Iterator[Callable[..., Front]]:
    """Open a door of this test's own on each engine, by default to Acme."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'streams.db'}" if engine == "sqlite" else stack.enter_context(cluster())
        log = stack.enter_context(closing(open_log(url, PARTITIONS, database)))
        yield lambda *sources, **settings: stack.enter_context(
            standing(log, database, tmp_path, *(sources or (Acme(),)), **settings)
        )


@pytest.fixture(scope="session")
def open_shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Front]]:
    """Open a door that many tests knock at."""
    with ExitStack() as closing:

        def front(*sources: hub.Source) -> Front:
            folder = tmp_path_factory.mktemp("shared")
            log = closing.enter_context(opened_log(folder))
            database = closing.enter_context(Database(f"sqlite:///{folder / 'hub.db'}"))
            return closing.enter_context(standing(log, database, folder, *sources))

        yield front


@pytest.fixture
def front(open_front: Callable[..., Front]) -> Front:
    return open_front()


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)
