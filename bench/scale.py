"""`scale`: from a thousand customers to a million.

Measured: at each size, on files and on Kafka with PostgreSQL (a set of its own, durable, by the settings of
`deploy/postgresql.conf`): what an event costs the scoring room of a worker that holds everybody, in batches of 4,000
and committed to the real database. `same` is the traffic of a thousand customers (Zipf's popularity) who are the same
at every size and spread over the whole installation: it tells what the size itself costs. `zipf` is of all customers,
so that at a million hardly two events of a batch share a row; `even` is the worst of that; `hot` is `even` with a tenth
of all events one customer's. Processor time is the worker's and that of the database's process that serves it. Memory
of a worker that holds all partitions, and of one that holds a third. Start: `pulsehub up` from its birth until
`/readyz` answers 200, with all accounts loaded; once more with ten times the history. The clock: the look every two
seconds at who is due to be scored anew. The path, on servers: from Kafka through the worker to PostgreSQL and Kafka
with the traffic of `zipf`, and what each pays for an event. Pages: milliseconds from request to last byte, the first
time and the median of some, and of the hub's processor (the database's server is not in it), of the portfolio, an
account, the hot one, and the API.

The installations are written, not lived: see `bench.scale_built`. `--accounts` is the largest size, `--events` those of
each kind of traffic, `--database` a server's URL whose role may make databases, `--broker` its broker (`host:port`);
without them a set is started, and gone afterwards.

Left out: the log, but for the path (nothing is read from it or published while a room's cost is measured), snapshots
that teach, and what the other rooms do.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import psycopg
from aiokafka.admin import AIOKafkaAdminClient

from bench import scale_path
from bench.child import UP, Child
from bench.result import Result, at_most, below, median, told
from bench.scale_built import HOT, build
from bench.scale_path import Paid
from bench.scale_room import Asked, Found
from bench.servers import Parts, servers
from bench.traffic import account_of
from hub.registry import Configured, Registry
from hub.settings import Settings
from hub.streams.kafka.broker import Broker
from hub.worker.engine import Engine

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
ACCOUNTS: Final = SIZES[-1]
EVENTS: Final = 24_000
THIRD: Final = 3
LONG: Final = 10  # times the history
_LONG_AT: Final = 100_000  # customers, at most, of the installation that has it
CONF: Final = Path(__file__).parents[1] / "deploy" / "postgresql.conf"
"""What PostgreSQL is given: a million customers touch more pages than its own defaults keep in memory."""
_FLAT: Final = 1.25  # times what an event costs at the smallest size
_SECONDS: Final = 10.0  # that a page is asked for again and again
_TIMES: Final = 12
_PATIENCE: Final = 120.0


class Place(NamedTuple):
    """An installation that can be opened."""

    settings: Settings
    more: dict[str, str]
    partitions: int
    broker_pid: int = 0


class Page(NamedTuple):
    """Milliseconds by the clock, the first time and the median of the others; of the hub's processor, a request."""

    first: float
    median: float
    cpu: float


class Up(NamedTuple):
    """A started hub: seconds until it was ready, by the clock and of its processor; its bytes; its pages."""

    ready: float
    cpu: float
    resident: float
    pages: dict[str, Page]


class Size(NamedTuple):
    """What one installation came to."""

    accounts: int
    whole: Found
    third: Found
    up: Up
    paid: Paid | None = None


def run(accounts: int = ACCOUNTS, events: int = EVENTS, broker: str = "", database: str = "") -> list[Result]:
    """Files, then servers."""
    found = _engine("files", accounts, events, _on_files)
    with _parts(broker, database) as parts:
        found += _engine("servers", accounts, events, lambda: _on_servers(parts))
    return found


def _engine(name: str, accounts: int, events: int, place: Callable[[], AbstractContextManager[Place]]) -> list[Result]:
    sizes = [size for size in SIZES if size < accounts] + [accounts]
    measured = []
    for size in sizes:
        with place() as where:
            measured.append(_measure(where, size, 1, events, f"{name} {size:,}"))
    results = [one for size in measured for one in _told(name, size, measured[0])]
    size = min(accounts, _LONG_AT)
    with place() as where:
        label = f"{name} {size:,} with {LONG} times the history"
        _built(where, size, LONG, label)
        once = next(one for one in measured if one.accounts == size)
        up = _up(where, label, pages=False)
    return [
        *results,
        told(f"scale.{name}.{size}.start_long", up.ready, "s"),
        told(f"scale.{name}.{size}.start_long_cpu", up.cpu, "s"),
        at_most(f"scale.{name}.{size}.long", up.cpu / once.up.cpu, "of the start with a tenth of it", _FLAT),
    ]


def _told(name: str, size: Size, least: Size) -> Iterator[Result]:
    """All figures of one size."""
    at = f"scale.{name}.{size.accounts}"
    for kind, cost in size.whole.costs.items():
        first = least.whole.costs[kind]
        whole, before = cost.cpu + cost.server, first.cpu + first.server
        if kind == "same":
            yield at_most(f"{at}.{kind}", whole / before, "of the smallest", _FLAT)
        yield told(f"{at}.{kind}.cpu", cost.cpu, "us an event")
        if cost.server:
            yield told(f"{at}.{kind}.server", cost.server, "us an event")
        yield told(f"{at}.{kind}.wall", cost.wall, "us an event")
        yield told(f"{at}.{kind}.touched", cost.touched, "rows an event")
        yield told(f"{at}.{kind}.moved", cost.moved, "ledger rows an event")
    even, hot = size.whole.costs["even"], size.whole.costs["hot"]
    yield at_most(f"{at}.hot", (hot.cpu + hot.server) / (even.cpu + even.server), "of even traffic", _FLAT)
    yield told(f"{at}.explain", size.whole.other, "ms")
    yield told(f"{at}.explain_hot", size.whole.hot, "ms")
    for share, found in (("", size.whole), ("_third", size.third)):
        yield at_most(f"{at}.memory{share}", (found.resident - found.bare) / 1e9, "GB", 1.0 / (THIRD if share else 1))
        yield told(f"{at}.memory{share}_peak", (found.peak - found.bare) / 1e9, "GB")
        yield told(f"{at}.load{share}", found.seconds, "s")
        yield told(f"{at}.load{share}_cpu", found.cpu, "s")
    yield told(f"{at}.bytes", (size.whole.resident - size.whole.bare) / size.whole.held, "bytes an account")
    yield told(f"{at}.clock", size.whole.idle, "ms, every 2 s, nobody due")
    yield told(f"{at}.clock_due", size.whole.due, "ms, a thousand due")
    yield told(f"{at}.start", size.up.ready, "s")
    yield told(f"{at}.start_cpu", size.up.cpu, "s")
    yield told(f"{at}.process", size.up.resident / 1e9, "GB of pulsehub up")
    if size.paid is not None:
        for who, cost in size.paid._asdict().items():
            units = {"moved": "ledger rows an event", "wal": "bytes an event"}
            yield told(f"{at}.path.{who}", cost, units.get(who, "us an event"))
    for page, took in size.up.pages.items():
        yield told(f"{at}.{page}.first", took.first, "ms")
        yield told(f"{at}.{page}.cpu", took.cpu, "ms of the hub's processor")
        yield below(f"{at}.{page}", took.median, "ms", 100)


def _measure(where: Place, accounts: int, history: int, events: int, label: str) -> Size:
    _built(where, accounts, history, label)
    up = _up(where, label, pages=True)
    paid = _paid(where, accounts, events, label)
    third = _room(Asked(where.settings.database, where.partitions, THIRD, accounts, 0))
    _say(f"{label}: a third is {third.held:,} accounts in {third.seconds:.1f} s")
    # the last of all: what it applies was never in the log, and an engine refuses to start on that
    whole = _room(Asked(where.settings.database, where.partitions, 1, accounts, events))
    _say(f"{label}: {', '.join(f'{kind} {cost.cpu:.0f} us' for kind, cost in whole.costs.items())}")
    return Size(accounts, whole, third, up, paid)


def _paid(where: Place, accounts: int, events: int, label: str) -> Paid | None:
    """Of the whole way, where there are servers of ours."""
    if not where.broker_pid:
        return None
    asked = scale_path.Asked(where.settings.stream, where.settings.database, where.partitions)
    paid = scale_path.path(asked, accounts, events, where.broker_pid)
    _say(f"{label}: worker {paid.worker:.0f}, database {paid.database:.0f}, broker {paid.broker:.0f} us an event")
    return paid


def _built(where: Place, accounts: int, history: int, label: str) -> None:
    began = time.monotonic()

    def progress(done: float) -> None:
        print(f"\r{label}: built {done:4.0%}, {time.monotonic() - began:.0f} s", end=" ", file=sys.stderr, flush=True)

    asyncio.run(_opened(where.settings))
    build(where.settings.database, where.partitions, accounts, history, progress)
    print(file=sys.stderr)
    if where.settings.database.startswith("postgresql"):  # else it would go about it whenever it likes
        with psycopg.connect(where.settings.database, autocommit=True) as connection:
            connection.execute("vacuum analyze")


async def _opened(settings: Settings) -> None:
    async with Engine(settings, Registry([]), Configured()):
        pass


def _up(where: Place, label: str, *, pages: bool) -> Up:
    """Start it; it is ready once everybody is loaded."""
    with Child(UP, where.settings.data, where.more) as child:
        ready, cpu = child.ready(), child.cpu()
        _say(f"{label}: ready in {ready:.1f} s, {cpu:.1f} s of processor")
        return Up(ready, cpu, child.resident(), _pages(child) if pages else {})


def _pages(child: Child) -> dict[str, Page]:
    paths = {
        "portfolio": "/",
        "account": f"/accounts/{account_of(HOT + 1)}",
        "account_hot": f"/accounts/{account_of(HOT)}",
        "api": "/api/accounts",
        "api_account": f"/api/accounts/{account_of(HOT + 1)}",
        "api_hot": f"/api/accounts/{account_of(HOT)}",
        "search": "/palette?q=customer-77",
    }
    connection, found = child.connect(), {}
    for name, path in paths.items():
        took: list[float] = []
        used = child.cpu()
        until = time.perf_counter() + _SECONDS
        while len(took) < 2 or (len(took) < _TIMES and time.perf_counter() < until):
            began = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, f"{path} answered {answer.status}"
            took.append((time.perf_counter() - began) * 1_000)
        found[name] = Page(took[0], median(took[1:]), (child.cpu() - used) * 1_000 / len(took))
    said = (f"{name} {page.first:.0f}, then {page.median:.0f} ms ({page.cpu:.0f})" for name, page in found.items())
    _say(", ".join(said))
    return found


def _room(asked: Asked) -> Found:
    ran = subprocess.run(
        [sys.executable, "-m", "bench.scale_room", msgspec.json.encode(asked).decode()],
        check=True,
        stdout=subprocess.PIPE,
    )
    return msgspec.json.decode(ran.stdout, type=Found)


@contextmanager
def _on_files() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="pulsehub-bench-") as name:
        settings = Settings(data=Path(name))
        yield Place(settings, {}, settings.topic_partitions)


@contextmanager
def _on_servers(parts: Parts) -> Iterator[Place]:
    name = f"scale{time.time_ns()}"
    more = {"PULSEHUB_BROKER_URL": f"kafka://{parts.broker}/{name}", "PULSEHUB_DATABASE_URL": parts.fresh(name)}
    with tempfile.TemporaryDirectory(prefix="pulsehub-bench-") as folder:
        settings = Settings(
            data=Path(folder), broker_url=more["PULSEHUB_BROKER_URL"], database_url=more["PULSEHUB_DATABASE_URL"]
        )
        try:
            yield Place(settings, more, settings.topic_partitions, parts.broker_pid)
        finally:
            parts.drop(name)
            asyncio.run(_forget(settings.stream))


async def _forget(url: str) -> None:
    """Delete the topics of a prefix."""
    broker = Broker.at(url)
    admin = AIOKafkaAdminClient(**broker.client())
    await admin.start()
    try:
        await admin.delete_topics([one for one in await admin.list_topics() if one.startswith(f"{broker.prefix}.")])
    finally:
        await admin.close()


@contextmanager
def _parts(broker: str, database: str) -> Iterator[Parts]:
    if broker and database:
        yield Parts(broker.removeprefix("kafka://"), database)
    else:
        with servers(CONF) as parts:
            yield parts


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
