"""Is everything flowing, and if not, where did it stop?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from hub.store.questions import way
from hub.store.questions.way import Destination, Heard
from hub.web import words
from hub.web.context import Halt, Listening
from hub.web.page import Asked, Page, Site
from hub.web.svg.way import Column, Stop
from hub.web.svg.way import way as draw
from hub.web.svg.way import way_down as draw_down

_BEHIND: Final = 1_000  # records of lag from which a room counts as behind
ALL_ROOMS: Final = "streams"  # a halt of this name is a halt of every room
ROOMS: Final[Mapping[str, str]] = {
    "scoring.rescore": "rescores accounts",
    "scoring.learn": "learns from outcomes",
    "success.alerts": "decides on alerts",
    "sinks.fields": "decides what destinations show",
    "sinks.alerts": "queues alerts",
    "ingest.dead_letters": "keeps dead letters",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A row of connections: what is configured, and what was heard."""

    name: str
    vendor: str
    path: str
    heard: Heard | None
    accepted: int
    duplicates: int
    open_letters: int


def view(site: Site, asked: Asked) -> Page:
    """Connections, rooms, books, dead letters."""
    context = site.context
    now = context.now()
    with context.database.read() as connection:
        heard = site.memo.ask("heard", lambda: way.heard(connection, now))
        letters = way.letters_by_connection(connection)
        newest, _ = way.letters(connection, limit=8, state="open")
        places = site.memo.ask("destinations", lambda: way.every_destination(connection, now))
    sources = _sources(context.sources(), heard, letters)
    halted = {halt.room: halt for halt in context.halted()}
    lag = {**dict.fromkeys(ROOMS, 0), **context.lag()} if context.lag() else {}
    rooms = _Rooms(lag, halted, context.rates())
    columns = _columns(sources, rooms, _with_unused(places, context.sinks), now)
    return Page(
        template="streams.html",
        title="Connectors and streams",
        values={
            "now": now,
            "asked": asked,
            "sources": sources,
            "plugins": context.plugins,
            "wide": draw(columns),
            "narrow": draw_down(columns),
            "lag": lag,
            "rooms": ROOMS,
            "halted": halted,
            "books": context.counters(),
            "rates": context.rates(),
            "letters": newest,
            "open_letters": sum(letters.values()),
            "can_replay": context.replay_dead_letters is not None,
            "public_url": context.settings.public_url.rstrip("/"),
        },
        live=("streams-way", "streams-sources", "streams-rooms", "streams-letters"),
        topics=frozenset({"health", "events", "deliveries", "dead_letters", "streams"}),
    )


def _sources(listening: Sequence[Listening], heard: Mapping[str, Heard], letters: Mapping[str, int]) -> list[Source]:
    found = [
        Source(
            one.name, one.vendor, one.path, heard.get(one.name), one.accepted, one.duplicates, letters.get(one.name, 0)
        )
        for one in listening
    ]
    known = {one.name for one in found}
    found += [
        Source(name, "", "", one, 0, 0, letters.get(name, 0))
        for name, one in sorted(heard.items())
        if name not in known
    ]
    return found


@dataclass(frozen=True, slots=True)
class _Rooms:
    """How the rooms do: records waiting, what stands still, records a second by topic."""

    lag: Mapping[str, int]
    halted: Mapping[str, Halt]
    rates: Mapping[str, float]

    def stop(self, name: str, title: str, topic: str) -> Stop:
        behind, rate = self.lag.get(name, 0), self.rates.get(topic, 0.0)
        if halt := self.halted.get(name) or self.halted.get(ALL_ROOMS):
            return Stop(title, halt.reason, "halted", "#rooms")
        line = f"{words.whole(behind)} waiting · {_pace(rate)}" if behind else _pace(rate)
        return Stop(title, line, "behind" if behind >= _BEHIND else "flowing" if rate > 0 else "idle", "#rooms")


def _columns(sources: Sequence[Source], rooms: _Rooms, places: Sequence[Destination], now: float) -> list[Column]:
    pace = rooms.rates.get("events", 0.0)
    froms = [
        Stop(s.name, _heard(s.heard, now),
             "flowing" if s.heard and s.heard.per_minute else "idle", "#sources")
        for s in sources
    ] or [Stop("no source yet", "see below how to add one", "idle", "#sources")]  # fmt: skip
    tos = [
        Stop(place.sink, *_destination(place, now), f"/deliveries?sink={quote(place.sink, safe='')}", place.shape)
        for place in places
    ] or [Stop("no destination yet", "health stays in here", "idle", "/deliveries")]
    return [
        Column("Sources", froms),
        Column("Log", [Stop("events", _pace(pace), "flowing" if pace else "idle", "#books")]),
        Column("Scoring", [rooms.stop("scoring.rescore", "scoring", "health")]),
        Column(
            "Decisions",
            [rooms.stop("success.alerts", "alerts", "actions"), rooms.stop("sinks.fields", "fields", "health")],
        ),
        Column("Destinations", tos),
    ]


def _heard(heard: Heard | None, now: float) -> str:
    if heard is None:
        return "nothing heard yet"
    return f"{words.whole(heard.per_minute)} a minute" if heard.per_minute else f"last {words.ago(heard.last_at, now)}"


def _pace(rate: float) -> str:
    if rate <= 0:
        return "quiet now"
    return f"{words.whole(rate)} a second" if rate >= 1 else f"{words.whole(rate * 60)} a minute"


def _with_unused(places: Sequence[Destination], sinks: Sequence[str]) -> list[Destination]:
    used = {place.sink for place in places}
    return [*places, *(Destination(name) for name in sinks if name not in used)]


def _destination(place: Destination, now: float) -> tuple[str, Literal["flowing", "idle", "behind", "halted"]]:
    due = place.states.get("due", 0) + place.states.get("pending", 0)
    if place.paused:
        return place.reason or "paused by hand", "halted" if place.refused else "behind"
    if place.open_until > now:
        return f"tries again {words.ago(place.open_until, now)}", "halted"
    if due:
        return f"{words.whole(due)} to go", "flowing"
    return (
        (f"up to date · {words.ago(place.last_ok_at, now)}", "flowing")
        if place.last_ok_at
        else ("nothing to send", "idle")
    )
