"""One fault, struck again and again under load, on an installation of its own; then all is drained and checked."""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Self

import psycopg
from sqlalchemy import select

from hub import Ping
from hub.ingest.dedupe import digest_of
from hub.store import schema
from hub.streams.log import Entry, LogError
from hub.streams.topics import EVENTS
from hub.worker.beside import Beside
from tests.faults import check, history
from tests.faults.company import Company
from tests.faults.destinations import Destinations
from tests.faults.faults import Fault
from tests.faults.traffic import Id, Parcel, Sender, Vendors
from tests.servers.servers import Servers

CANARIES = 64  # accounts that are asked for after each strike, so that every partition has some
PATIENCE = 180.0  # seconds to drain
RECOVERY = 120.0  # seconds until an event of every partition must be applied again, from every door
SESSION = 6  # seconds; the default is 10
URL = f"session={SESSION}&rebalance=15&patience=5"


@dataclass
class Row:
    """A line of the table.

    Attributes:
        strikes: how often it was broken.
        recovered: seconds from the end of each strike until webhooks to every door for every partition were applied.
        moved: seconds from the death of a worker until each of its partitions was somebody else's.
        deaths: of our processes, those that ended by themselves to be started anew included.
        wrong: violations.
    """

    fault: str
    seed: int
    strikes: int = 0
    events: int = 0
    acknowledged: int = 0
    deaths: int = 0
    recovered: list[float] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)
    late: int = 0
    mailed_again: int = 0
    wrong: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    took: float = 0.0

    def as_json(self) -> dict:
        return asdict(self)


class Round:
    """What runs while one fault is struck.

    Args:
        fault: which.
        servers: the real parts; None: the embedded engine.
        folder: of logs and data.
        seed: of all chance.
        strikes: how often.
        events: at least so many are sent, the strikes spread over them.
        rate: events a second.
        say: takes a line about how far it is.
    """

    def __init__(
        self,
        fault: Fault,
        servers: Servers | None,
        folder: Path,
        seed: int,
        *,
        strikes: int,
        events: int,
        rate: float,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.fault, self.servers, self.folder, self.seed = fault, servers, folder, seed
        self.strikes, self.events, self.rate = strikes, events, rate
        self.say = say
        self.chance = random.Random(seed)
        self.row = Row(fault.name, seed)
        self.vendors = Vendors(seed, fault.customers)
        self.destinations = Destinations(self.vendors.sandboxes["zendesk"], seed)
        self.poison = 0
        self.parts: list[int] = []  # after how many parcels everything was applied, while the customers were founded
        self._canaries = 0

    def run(self) -> Row:
        """What goes wrong with the round itself is wrong, too: a door that never opens, a server that never returns."""
        begun = time.monotonic()
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next fault can be tried
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.row.wrong.append(f"broken off: {type(error).__name__}: {error} ({where.name}, line {where.lineno})")
        self.row.took = time.monotonic() - begun
        return self.row

    def _run(self) -> None:
        with ExitStack() as opened:
            self.destinations.start()
            opened.callback(self.destinations.stop)
            company = Company(self.folder, self._environment(), large=self.servers is not None, crew=self.fault.crew)
            opened.callback(self.fault.prepare(company, self.servers))
            opened.callback(company.stop)  # before that
            company.start()
            if self.servers:
                history.keep(company.database_url)
            looking = opened.enter_context(Looking(company, lasting=self.servers is not None))
            sender = Sender(company.doors, self.folder / "acknowledged", self.rate, self.seed)
            opened.callback(sender.close)
            for part in self.vendors.founding():
                founding = _begin(sender, part, None)
                _flow(sender, lambda founding=founding: not founding.is_alive())
                if self.fault.compared:
                    with looking() as beside:
                        if left := check.drain(beside, PATIENCE, deliveries=False):
                            raise TimeoutError(f"the founding was not applied: {left}")
                    self.parts.append(len(sender.parcels))
            if not self._probe(company, looking, sender, RECOVERY):
                company.tell()
                raise TimeoutError(f"the company did not begin to work; see {self.folder}")
            self._torment(company, looking, sender)
            self._settle(company, looking, sender)
            for name, seconds in company.stop().items():
                if seconds > 27:
                    self.row.wrong.append(f"{name} did not end within {seconds:.0f} s of SIGTERM")

    def _environment(self) -> dict[str, str]:
        environment = {
            **self.vendors.source_settings,
            **self.destinations.settings(),
            "PULSEHUB_PARTITIONS": "8",
            "PULSEHUB_ZENDESK_TOLERANCE": "86400",
            "PULSEHUB_STRIPE_TOLERANCE_SECONDS": "86400",
            **self.fault.settings(),
        }
        if self.servers:
            name = f"faults_{self.folder.name}".replace("-", "_")
            with psycopg.connect(
                f"postgresql://postgres@127.0.0.1:{self.servers.postgres.port}/postgres", autocommit=True
            ) as connection:
                connection.execute(f"create database {name} owner pulsehub".encode())
            environment |= {
                "PULSEHUB_BROKER_URL": f"kafka://127.0.0.1:{self.servers.kafka.port}/{name}?{URL}",
                "PULSEHUB_DATABASE_URL": f"postgresql://pulsehub@127.0.0.1:{self.servers.postgres.port}/{name}",
                "PULSEHUB_REDIS_URL": f"redis://127.0.0.1:{self.servers.redis.port}/0",
            }
        return environment

    # --- under load ---------------------------------------------------------------------------------------------

    def _torment(self, company: Company, looking: Looking, sender: Sender) -> None:
        enough = threading.Event()
        begun = sender.counts["events"]

        def sent() -> bool:
            return enough.is_set() and sender.counts["events"] - begun >= self.events

        load = _begin(sender, self.vendors.stream(), sent)
        try:
            for number in range(self.strikes):
                wanted = begun + self.events * number // self.strikes
                _flow(sender, lambda wanted=wanted: sender.counts["events"] >= wanted)
                time.sleep(self.chance.uniform(0.2, 2.0))
                self._poison(looking)
                at = time.time()
                self.row.done.append(self.fault.strike(company, self.servers, self.chance))
                self.row.strikes += 1
                self.say(f"{self.row.strikes}/{self.strikes}, {sender.counts['events']} events: {self.row.done[-1]}")
                if self.chance.random() < 0.7 or self.row.strikes == self.strikes:
                    self._recover(company, looking, sender, at)
        finally:
            enough.set()
        self.say(f"{self.strikes}/{self.strikes} done; the rest of {self.events} events")
        _flow(sender, lambda: not load.is_alive())
        self.row.events = sender.counts["events"] - begun
        self.row.acknowledged = len(sender.acknowledged)

    def _recover(self, company: Company, looking: Looking, sender: Sender, at: float) -> None:
        begun = time.monotonic()
        if not self._probe(company, looking, sender, RECOVERY):
            self.row.wrong.append(f"no recovery within {RECOVERY:.0f} s: {self.row.done[-1]}")
            company.tell()
            return
        self.row.recovered.append(time.monotonic() - begun)
        if self.servers and self.fault.kills:
            self.row.moved += moved(company, at)

    def _probe(self, company: Company, looking: Looking, sender: Sender, patience: float) -> bool:
        """Whether, soon enough, webhooks to every door for every partition come to be applied."""
        until = time.monotonic() + patience
        wanted: set[Id] = set()
        for door in company.doors:
            parcel = self._canary()
            one = Sender([door], self.folder / "acknowledged", 1e9, self.seed, lines=1)
            while not one.acknowledged.issuperset(parcel.ids) and time.monotonic() < until:
                worker = threading.Thread(target=one.send, args=(iter([parcel]), None), daemon=True)
                worker.start()
                worker.join(max(0.1, until - time.monotonic()))
            one.close()
            sender.take(one)
            wanted |= set(parcel.ids)
        digests = [digest_of(*one) for one in wanted]
        asked = select(schema.seen.c.digest).where(schema.seen.c.digest.in_(digests))
        while time.monotonic() < until:
            with suppress(Exception), looking() as beside, beside.database.read() as connection:
                if len(connection.execute(asked).all()) == len(digests):
                    return True
            time.sleep(0.1)
        return False

    def _canary(self):
        self._canaries += 1
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        calls = [
            {
                "type": "track",
                "event": "Canary",
                "messageId": f"canary-{self._canaries}-{n}",
                "timestamp": now,
                "userId": f"canary-{n}",
                "context": {"groupId": f"canary-{n}"},
            }
            for n in range(CANARIES)
        ]
        body = json.dumps({"batch": calls}).encode()
        return self.vendors.parcel(Ping(path="/v1/batch", headers=self.vendors.client_headers, body=body))

    def _poison(self, looking: Looking) -> None:
        """A record on the log that is no event."""
        entry = Entry(EVENTS.name, self.chance.randrange(8), b"poison", b"\xff not an event", time.time())
        with suppress(LogError), looking() as beside:
            future: Future[None] = beside.log.append([entry])
            future.result(timeout=15)
            self.poison += 1

    # --- afterwards ---------------------------------------------------------------------------------------------

    def _settle(self, company: Company, looking: Looking, sender: Sender) -> None:
        self.destinations.fail(0)
        self.say("to be drained and checked")
        with looking() as beside:
            if left := check.drain(beside, PATIENCE):
                self.row.wrong.append(f"not drained: {left}")
                company.tell()
            found = check.look(
                beside,
                company.settings,
                sender.acknowledged,
                self.destinations,
                # a door on Kafka that is killed forgets what it counted in its last second (docs/adr/0010)
                taken=0 if self.servers and self.fault.kills else sender.counts["records"],
                poison=self.poison,
                letters=sender.letters,
                audited=company.database_url if self.servers else "",
            )
            if self.servers and self.fault.compared:
                found.wrong += self._compared(company, beside, sender)
        row = self.row
        if found.wrong and not self.servers:  # for whoever looks into it: a disk of its own is taken away
            shutil.copytree(company.settings.data, self.folder / "kept")
        row.wrong += found.wrong + [f"refused: {said}" for said in sender.refused]
        row.late, row.mailed_again = len(found.late), len(found.mailed_again)
        if not self.fault.overtaken:
            row.wrong += found.late
        if not self.fault.doubtful:
            row.wrong += found.mailed_again
        row.deaths = sum(process.deaths for process in company.processes)
        row.figures = found.figures | self.destinations.failures() | dict(sender.counts)

    def _compared(self, company: Company, beside: Beside, sender: Sender) -> list[str]:
        """An embedded installation that is told the same, each once and in peace, account by account."""
        told = {name: value for name, value in self.vendors.source_settings.items() if "_URL" not in name}
        for name in ("PULSEHUB_ZENDESK_EMAIL", "PULSEHUB_ZENDESK_TOKEN"):
            told.pop(name, None)
        environment = told | {name: company.environment[name] for name in company.environment if "TOLERANCE" in name}
        with ExitStack() as opened:
            alone = Company(self.folder / "embedded", environment | {"PULSEHUB_PARTITIONS": "8"}, large=False)
            opened.callback(alone.stop)
            alone.start()
            again = Sender(alone.doors, self.folder / "embedded" / "acknowledged", 1e9, self.seed)
            opened.callback(again.close)
            with alone.beside() as other:
                for begin, end in pairwise([0, *self.parts, len(sender.parcels)]):
                    again.send(iter(sender.parcels[begin:end]), None)
                    if left := check.drain(other, PATIENCE, deliveries=False):
                        return [f"the embedded installation was not drained: {left}"]
                return check.compare(beside.database, other.database, company.settings, alone.settings)


class Looking:
    """Log and database of a company, seen from here.

    `lasting` is one connection for all looks; else each opens the files anew, so that a disk can be taken away between.
    """

    def __init__(self, company: Company, *, lasting: bool) -> None:
        self._company = company
        self._lasting = lasting
        self._stack = ExitStack()
        self._beside: Beside | None = None

    def __enter__(self) -> Self:
        if self._lasting:
            self._beside = self._stack.enter_context(self._company.beside())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self) -> AbstractContextManager[Beside]:
        return nullcontext(self._beside) if self._beside else self._company.beside()


def _begin(sender: Sender, parcels: Iterable[Parcel], until: Callable[[], bool] | None) -> threading.Thread:
    """Send beside what else is done."""
    thread = threading.Thread(target=sender.send, args=(iter(parcels), until), daemon=True)
    thread.start()
    return thread


def _flow(sender: Sender, until: Callable[[], bool]) -> None:
    """Wait until something is so. Raises TimeoutError when meanwhile no door takes anything for long."""
    many, since = -1, 0.0
    while not until():
        if (now := sender.counts["status 200"]) != many:
            many, since = now, time.monotonic()
        elif time.monotonic() - since > RECOVERY:
            raise TimeoutError(f"no door took anything for {RECOVERY:.0f} s")
        time.sleep(0.05)


def moved(company: Company, at: float) -> list[float]:
    """Seconds from a death at `at` until each partition of whoever died then was claimed by somebody else."""
    seen = history.moves(company.database_url)
    before = {(m.room, m.topic, m.partition): m for m in seen if m.at < at}
    living = {process.who for process in company.processes}
    found: dict[tuple[str, str, int], float] = {}
    for move in seen:
        place = (move.room, move.topic, move.partition)
        owner = before.get(place)
        if owner and owner.who not in living and move.at >= at and move.epoch != owner.epoch:
            found.setdefault(place, move.at - at)
    return list(found.values())
