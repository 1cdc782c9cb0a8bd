"""What a company's vendors send: signed webhooks, one in five twice, out of order, some days late, a few unreadable.

Whoever sends remembers what was acknowledged, and sends again what was not, as vendors do.
"""

import json
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import httpx

from hub import Ping
from hub.demo.world import World, midnight
from hub.ingest.reading import cut, read
from hub.registry import Registry
from hub.sdk.contracts import Webhook

TWICE = 0.2
REORDERED = 1_000  # positions
LATE, DAYS_LATE = 0.02, 3
POISON = 0.002
BAD_EVERY = 2  # days
BATCH = 12  # calls of one Segment request, at most
Id = tuple[str, str]  # connection, event


@dataclass(frozen=True)
class Parcel:
    """One webhook, the ids of the events in it, and of the dead letters that its other records become."""

    ping: Ping
    ids: tuple[Id, ...]
    letters: tuple[str, ...] = ()


class Vendors:
    """The stand-ins of the vendors and the history they share, told bit by bit; the same for the same seed."""

    def __init__(self, seed: int, companies: int, days: int = 60) -> None:
        registry = Registry()
        self.sandboxes = {one.vendor: one for one in registry.sandboxes()}
        self.chance = random.Random(seed)
        self.world = World(midnight(days, datetime.now(UTC)), companies, seed)
        self._days = days
        told = {k: v for one in self._sending for k, v in one.settings("http://127.0.0.1:1").items()}
        self.sources = {one.vendor: one for one in registry.configure(told, httpx.AsyncClient(), {}).sources}
        self.source_settings = told

    @property
    def _sending(self):
        return [self.sandboxes[name] for name in ("segment", "zendesk", "stripe")]

    @property
    def client_headers(self) -> dict[str, str]:
        """What a Segment client of the company shows."""
        key = self.source_settings["PULSEHUB_SEGMENT_WRITE_KEY"]
        return {"authorization": f"Bearer {key}", "content-type": "application/json"}

    def founding(self) -> list[list[Parcel]]:
        """Who the customers are, sent first and once: of each customer one webhook, then of each the next.

        If each part is applied before the next is sent, it depends on no order who is found to be whom.
        """
        parts: list[list[Parcel]] = []
        told: Counter[str] = Counter()
        for event in self.world.founding():
            for ping in self._pings(event):
                if told[event.account] == len(parts):
                    parts.append([])
                parts[told[event.account]].append(self.parcel(ping))
                told[event.account] += 1
        return parts

    def stream(self) -> Iterator[Parcel]:
        """All that happens, and without end: duplicated, reordered, late."""
        places: list[tuple[float, int, Ping]] = []
        late: list[tuple[int, Ping]] = []
        count = 0
        for day, happened in enumerate(self._happenings()):
            due = [ping for when, ping in late if when <= day]
            late = [(when, ping) for when, ping in late if when > day]
            for ping in [*due, *(ping for event in happened for ping in self._pings(event))]:
                if self.chance.random() < LATE:
                    late.append((day + DAYS_LATE, ping))
                    continue
                for _ in range(2 if self.chance.random() < TWICE else 1):
                    count += 1
                    places.append((count + self.chance.uniform(0, REORDERED), count, ping))
            if len(places) > 2 * REORDERED:
                places.sort()
                ready, places = places[:-REORDERED], places[-REORDERED:]
                yield from self._packed([ping for _, _, ping in ready])

    def _happenings(self):
        for day in range(self._days):
            happened = self.world.day(self.world.start + timedelta(days=day))
            yield [*happened, *self._bad_hour()] if day % BAD_EVERY == 0 else happened
        while True:  # history is over: what happens now
            now = datetime.now(UTC)
            events = [event for _ in range(40) for event in self.world.moment(now)]
            yield [*events, *self._bad_hour()]

    def _bad_hour(self):
        """Of one of them, and just now: it is in time to be told to people."""
        return self.world.bad_hour(self.chance.choice(self.world.companies).key, datetime.now(UTC))

    def _pings(self, event) -> list[Ping]:
        return [ping for one in self._sending for ping in one.happen_many([event])]

    def _packed(self, pings: Sequence[Ping]) -> Iterator[Parcel]:
        """Segment's clients send several calls at once; some are no calls at all."""
        calls: list[object] = []
        wanted = self.chance.randint(1, BATCH)
        for ping in pings:
            if ping.path != "/v1/batch":
                yield self.parcel(ping)
                continue
            calls += json.loads(ping.body)["batch"]
            if self.chance.random() < POISON * BATCH:
                calls.insert(self.chance.randint(0, len(calls)), {"type": "track", "event": f"{self.chance.random()}"})
            if len(calls) >= wanted:
                yield self.parcel(
                    Ping(path=ping.path, headers=ping.headers, body=json.dumps({"batch": calls}).encode())
                )
                calls, wanted = [], self.chance.randint(1, BATCH)

    def parcel(self, ping: Ping) -> Parcel:
        """With the ids our own sources find in it."""
        name = "segment" if ping.path == "/v1/batch" else ping.path.rpartition("/")[2]
        source, now = self.sources[name], datetime.now(UTC)
        hook = Webhook(path=ping.path, headers=dict(ping.headers), body=ping.body, query={})
        found = read(source, cut(source, hook, now), now)
        return Parcel(ping, tuple((name, one.event.id) for one in found.events), tuple(one.id for one in found.letters))


class Sender:
    """Sends parcels to any of several doors until each is acknowledged.

    Args:
        doors: ports; a parcel goes to whichever, and to another when that one does not take it.
        kept: file to which every acknowledged id is written at once.
        rate: events a second, at most.
    """

    def __init__(self, doors: Sequence[int], kept: Path, rate: float, seed: int, lines: int = 4) -> None:
        self.acknowledged: set[Id] = set()
        self.letters: set[str] = set()
        self.parcels: list[Parcel] = []
        self.counts: Counter[str] = Counter()
        self.refused: list[str] = []
        self.answered_at: dict[int, float] = {}
        self._doors, self._rate = list(doors), rate
        self._kept = kept.open("a", buffering=1)
        self._some = threading.Lock()
        self._waiting: queue.Queue[Parcel] = queue.Queue(maxsize=64)
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._line, args=(seed + n,), daemon=True) for n in range(lines)]
        for thread in self._threads:
            thread.start()

    def send(self, parcels: Iterator[Parcel], until) -> None:
        """Hand over parcels, at our pace, until `until()` or none is left; returns once all are acknowledged."""
        begun, many = time.monotonic(), 0
        for parcel in parcels:
            self._waiting.put(parcel)
            many += len(parcel.ids)
            if until is not None and until():
                break
            ahead = many / self._rate - (time.monotonic() - begun)
            if ahead > 0:
                time.sleep(min(ahead, 1.0))
            elif ahead < -2:  # nobody catches up on an outage in one burst
                begun = time.monotonic() - many / self._rate
        self._waiting.join()

    def take(self, other: "Sender") -> None:
        """What another has sent counts as ours."""
        with self._some:
            self.acknowledged |= other.acknowledged
            self.parcels += other.parcels
            self.refused += other.refused
            self.counts["records"] += other.counts["records"]

    def close(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._kept.close()

    def _line(self, seed: int) -> None:
        chance = random.Random(seed)
        lines: dict[int, HTTPConnection] = {}
        while not self._stopping.is_set():
            try:
                parcel = self._waiting.get(timeout=0.2)
            except queue.Empty:
                continue
            attempt = 0
            while not self._stopping.is_set() and not self._taken(lines, chance.choice(self._doors), parcel):
                attempt += 1
                time.sleep(min(1.0, 0.02 * 2**attempt) * chance.uniform(0.5, 1))
            self._waiting.task_done()
        for line in lines.values():
            line.close()

    def _taken(self, lines: dict[int, HTTPConnection], door: int, parcel: Parcel) -> bool:
        line = lines.setdefault(door, HTTPConnection("127.0.0.1", door, timeout=20))
        try:
            line.request("POST", parcel.ping.path, parcel.ping.body, dict(parcel.ping.headers))
            reply = line.getresponse()
            status, text = reply.status, reply.read()
        except (OSError, HTTPException) as error:
            line.close()
            status, text = 0, repr(error).encode()
        with self._some:
            self.counts[f"status {status}"] += 1
            if status != 200:
                if status not in (0, 503):
                    self.refused.append(f"{status} {text[:200]!r}")
                    return True
                return False
            self.answered_at[door] = time.monotonic()
            said = json.loads(text)
            known = parcel.ids
            if said["accepted"] + said["duplicates"] != len(known):
                self.refused.append(f"{len(known)} events, and the door counts {said}")
            self.acknowledged.update(known)
            self.parcels.append(parcel)
            self.counts["events"] += len(known)
            self.counts["records"] += len(known) + len(parcel.letters)
            self.letters.update(parcel.letters)
            self._kept.write("".join(f"{connection}\t{event}\n" for connection, event in known))
        return True
