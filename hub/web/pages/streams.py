"""Is everything flowing, and if not, where did it stop?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal
from urllib.parse import quote

from hub.store.questions import way
from hub.store.questions.way import Destination, Heard
from hub.streams.log import LogError
from hub.web import words
from hub.web.context import Context, Halt, Listening
from hub.web.page import IDLE, Asked, Page, Site
from hub.web.processes import Fleet, Gap, Room, fleet, summary
from hub.web.svg.held import held
from hub.web.svg.way import Column, Stop
from hub.web.svg.way import way as draw
from hub.web.svg.way import way_down as draw_down

_BEHIND: Final = 1_000  # records of lag from which a room counts as behind
_LOOK: Final = 5.0  # seconds: whoever is killed sends no news of it
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


@dataclass(frozen=True, slots=True)
class _Reach:
    """What the log has to be asked for; nothing of it is known where it does not answer."""

    answers: bool
    lag: Mapping[str, int]
    behind: Mapping[str, float]
    rates: Mapping[str, float]
    books: Mapping[str, int]


def view(site: Site, asked: Asked) -> Page:
    """Connections, rooms, processes, books, dead letters."""
    context = site.context
    now = context.now()
    with context.database.read() as connection:
        heard = site.memo.ask("heard", lambda: way.heard(connection, now))
        letters = way.letters_by_connection(connection)
        newest, _ = way.letters(connection, limit=8, state="open")
        places = site.memo.ask("destinations", lambda: way.every_destination(connection, now))
    reach = site.memo.ask("reach", lambda: _reach(context))
    many = not context.settings.embedded
    all_ = _all(context, now)
    gaps = all_.gaps if many else ()  # one process that runs all of it, or shows no page
    halts = context.halted()
    sources = _sources(context.sources(), heard, letters)
    rooms = _Rooms(reach, {halt.room: halt for halt in halts}, {gap.name: gap for gap in gaps if gap.of == "room"})
    columns = _columns(sources, rooms, _with_unused(places, context.sinks), gaps, now)
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
            "reach": reach,
            "rooms": ROOMS,
            "halted": rooms.halted,
            "halts": _together(halts),
            "standing": Counter(halt.room for halt in halts),
            "gaps": _alike(gaps),
            "fleet": all_,
            "many": many,
            "summary": summary(all_.roles),
            "strips": {room.name: _strip(room, rooms.gaps.get(room.name)) for room in all_.rooms.values()},
            "partitions": context.partitions,
            "letters": newest,
            "open_letters": sum(letters.values()),
            "can_replay": context.replay_dead_letters is not None,
            "public_url": context.settings.public_url.rstrip("/"),
        },
        live=(
            "streams-way",
            *(("streams-processes",) if many else ()),
            "streams-sources",
            "streams-rooms",
            "streams-letters",
        ),
        topics=frozenset({"health", "events", "deliveries", "dead_letters", "streams"}),
        idle=_LOOK if many else IDLE,
    )


def _all(context: Context, now: float) -> Fleet:
    known = context.processes()
    return fleet(known, now, rooms=tuple(ROOMS), partitions=context.partitions, sinks=context.sinks, me=context.me)


def _reach(context: Context) -> _Reach:
    try:
        return _Reach(True, context.lag(), context.behind(), context.rates(), context.counters())
    except LogError:
        return _Reach(False, {}, {}, {}, {})


def _together(halts: Sequence[Halt]) -> list[tuple[Halt, str]]:
    """Halts of one process for one reason, with the names of all their rooms."""

    def same(halt: Halt) -> tuple[str, str]:
        return halt.where, halt.reason

    found = []
    for _, group in groupby(sorted(halts, key=same), key=same):
        of = list(group)
        found.append((min(of, key=lambda halt: halt.since), ", ".join(halt.room for halt in of)))
    return found


def _alike(gaps: Sequence[Gap]) -> list[tuple[Gap, str]]:
    """Gaps of one kind, with the names of all that they are about; where it passes by itself, details do not matter."""

    def same(gap: Gap) -> tuple[bool, str, str]:
        return not gap.red, gap.of, (gap.partitions or ("all" if gap.since else "nobody")) if gap.red else ""

    return [
        (of[0], ", ".join(gap.name for gap in of))
        for of in (list(group) for _, group in groupby(sorted(gaps, key=same), key=same))
    ]


def _strip(room: Room, gap: Gap | None) -> str:
    missing = room.held.count(False)
    says = f"{room.name}: {len(room.held) - missing} of {words.plural(len(room.held), 'partition')} held"
    return held(room.held, says, red=bool(gap and gap.red))


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
    """How the rooms do: what waits, what stands still, what nobody holds."""

    reach: _Reach
    halted: Mapping[str, Halt]
    gaps: Mapping[str, Gap]

    def stop(self, name: str, title: str, takes: str, gives: str) -> Stop:
        behind, rate = self.reach.lag.get(name, 0), self.reach.rates.get(gives, 0.0)
        flows = rate > 0 or self.reach.rates.get(takes, 0.0) > 0
        if halt := self.halted.get(name):
            return Stop(title, halt.reason, "halted", "#rooms")
        gap = self.gaps.get(name)
        if gap and gap.red:
            why = f"nobody holds {gap.text}" if gap.text else "nobody runs it"
            return Stop(title, why, "halted", "#rooms")
        if not self.reach.answers:
            return Stop(title, "not known now", "idle", "#rooms")
        pace = "moves nothing" if flows and rate <= 0 else _pace(rate)
        line = f"{words.whole(behind)} waiting" if behind else pace
        return Stop(title, line, "behind" if behind >= _BEHIND else "flowing" if flows else "idle", "#rooms")

    def log(self) -> Stop:
        if not self.reach.answers:
            return Stop("events", "does not answer", "halted", "#books")
        pace = self.reach.rates.get("events", 0.0)
        return Stop("events", _pace(pace), "flowing" if pace else "idle", "#books")


def _columns(
    sources: Sequence[Source], rooms: _Rooms, places: Sequence[Destination], gaps: Sequence[Gap], now: float
) -> list[Column]:
    unserved = {gap.name for gap in gaps if gap.of == "destination" and gap.red}
    froms = [
        Stop(s.name, _heard(s.heard, now),
             "flowing" if s.heard and s.heard.per_minute else "idle", "#sources")
        for s in sources
    ] or [Stop("no source yet", "see below how to add one", "idle", "#sources")]  # fmt: skip
    tos = [
        Stop(
            place.sink,
            *(("nobody pushes to it", "halted") if place.sink in unserved else _destination(place, now)),
            f"/deliveries?sink={quote(place.sink, safe='')}",
            place.shape,
        )
        for place in places
    ] or [Stop("no destination yet", "health stays in here", "idle", "/deliveries")]
    return [
        Column("Sources", froms),
        Column("Log", [rooms.log()]),
        Column("Scoring", [rooms.stop("scoring.rescore", "scoring", "events", "health")]),
        Column(
            "Decisions",
            [
                rooms.stop("success.alerts", "alerts", "health", "actions"),
                rooms.stop("sinks.fields", "fields", "health", "health"),
            ],
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
