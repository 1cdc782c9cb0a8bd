"""The processes of an installation as a person reads them: who does what, who is missing, what nobody does. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hub.store.heartbeats import EVERY, SILENT, Process
from hub.web import words
from hub.web.context import Halt

LATE: Final = 2 * EVERY + 1.0  # seconds of silence that are worth a word
GONE: Final = 600.0  # seconds for which whoever went silent stands among the living
HANDOVER: Final = 90.0  # seconds a rebalance and a load may take; who holds nothing after that is missing
_PUSHES: Final = "sinks.fields"  # whoever runs it pushes to destinations, too
_ROLES: Final = ("web", "worker", "learner")
_SHORT: Final = 14  # letters of a list of partitions; a longer one is counted

State = Literal["well", "starting", "late", "silent", "halted"]


@dataclass(frozen=True, slots=True)
class Share:
    """What a process holds of one room: `partitions` in full, `text` as short as it has to be."""

    room: str
    text: str
    partitions: str


@dataclass(frozen=True, slots=True)
class Row:
    """One process. `heard` says when it was last heard of; `halts` what stands still in it."""

    id: str
    role: str
    host: str
    pid: str
    version: str
    started_at: float
    state: State
    heard: str
    here: bool
    shares: Sequence[Share]
    delivers: Sequence[str]
    halts: Sequence[Halt]


@dataclass(frozen=True, slots=True)
class Gap:
    """What nobody does: a destination, or partitions of a room, by whom they should be done.

    Attributes:
        name: the room, or the destination.
        partitions: those that are missing, as people write them; empty where it is all of it.
        text: the same, as short as it has to be: `3–5`, `21 of 64`.
        red: a person should act. Else they are about to be taken over.
        since: unix seconds; None where nobody is there to say.
    """

    name: str
    partitions: str
    text: str
    red: bool
    since: float | None
    of: Literal["room", "destination"] = "room"


@dataclass(frozen=True, slots=True)
class Room:
    """Who holds a room's partitions: `held` says of each whether somebody does."""

    name: str
    held: Sequence[bool]
    holders: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """All of them.

    Attributes:
        rows: the living, and those that went silent a short while ago.
        rooms: by name.
        gaps: red ones first.
        roles: role -> how many live.
        versions: version -> how many live; more than one during an upgrade.
        lost: how many went silent in the last day, without a row of their own; `lost_at` the newest of them.
    """

    rows: Sequence[Row]
    rooms: Mapping[str, Room]
    gaps: Sequence[Gap]
    roles: Mapping[str, int]
    versions: Mapping[str, int]
    lost: int
    lost_at: float | None


def halts(living: Iterable[Process]) -> list[Halt]:
    """Rooms that stand still, by process."""
    return [
        Halt(room=room, reason=str(why["reason"]), since=float(why["since"]), where=_where(one))
        for one in living
        for room, why in one.state.get("halted", {}).items()
    ]


def fleet(
    heard: Sequence[Process],
    now: float,
    *,
    rooms: Sequence[str],
    partitions: int,
    sinks: Sequence[str] = (),
    me: str = "",
) -> Fleet:
    """Judge what was heard of processes.

    Args:
        heard: also of the silent.
        now: unix seconds.
        rooms: those that somebody has to run.
        partitions: of each of them.
        sinks: destinations that somebody has to push to.
        me: the id of the process that asks: where we are silent ourselves, the database was away.
    """
    deaf = next((one.age for one in heard if one.id == me and one.age > LATE), 0.0)
    ages = [one._replace(age=max(0.0, one.age - deaf)) for one in heard]
    seen = _Seen(
        now,
        living=[one for one in ages if one.age <= SILENT],
        silent=[one for one in ages if SILENT < one.age <= GONE],
    )
    lost = [one for one in ages if one.age > GONE]
    holders = {room: seen.holders(room) for room in rooms}
    gaps = [gap for room, of in holders.items() if (gap := seen.gap(room, of, partitions))] + seen.unserved(sinks)
    return Fleet(
        rows=[
            _row(one, holders, partitions, here=one.id == me)
            for one in [*sorted(seen.living, key=lambda one: _order(one.role)), *seen.silent]
        ],
        rooms={
            room: Room(room, [p in of for p in range(partitions)], len(set(of.values())))
            for room, of in holders.items()
        },
        gaps=sorted(gaps, key=lambda gap: not gap.red),
        roles=Counter(one.role for one in seen.living),
        versions=Counter(one.version for one in seen.living),
        lost=len(lost),
        lost_at=max((now - one.age for one in lost), default=None),
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """Who lives, and who went silent a short while ago."""

    now: float
    living: Sequence[Process]
    silent: Sequence[Process]

    def holders(self, room: str) -> dict[int, str]:
        """Partition -> who holds it: of several that say so, who claimed last; whoever was killed says no more."""
        found: dict[int, str] = {}
        for one in sorted(self.living, key=_since):
            found |= dict.fromkeys(_rooms(one).get(room, ()), one.id)
        return found

    def gap(self, room: str, holders: Mapping[int, str], partitions: int) -> Gap | None:
        """What nobody holds of a room."""
        missing = [p for p in range(partitions) if p not in holders]
        if not missing:
            return None
        running = [one for one in self.living if room in _rooms(one)]
        if not running:
            return Gap(room, "", "", red=True, since=None)
        since = self._divided(running, [one for one in self.silent if room in _rooms(one)])
        which = words.ranges(missing) if len(missing) < partitions else ""
        text = which if len(which) <= _SHORT else f"{len(missing)} of {partitions}"
        return Gap(room, which, text, red=self.now - since > HANDOVER, since=since)

    def unserved(self, sinks: Sequence[str]) -> list[Gap]:
        """Destinations that nobody pushes to, though somebody could."""
        running = [one for one in self.living if _PUSHES in _rooms(one)]
        if not running:
            return []  # that nobody runs the room is said already
        since = self._divided(running, [one for one in self.silent if one.state.get("delivers")])
        served = {sink for one in running for sink in one.state.get("delivers", ())}
        red = self.now - since > HANDOVER
        return [Gap(sink, "", "", red, since, "destination") for sink in sinks if sink not in served]

    def _divided(self, running: Iterable[Process], silent: Iterable[Process]) -> float:
        """When the work was last divided: somebody got or lost some, or was heard of for the last time."""
        return max([*(_since(one) for one in running), *(self.now - one.age for one in silent)])


def _rooms(one: Process) -> Mapping[str, Sequence[int]]:
    rooms: Mapping[str, Sequence[int]] = one.state.get("rooms", {})
    return rooms


def _since(one: Process) -> float:
    return float(one.state.get("since") or one.started_at)


def _row(one: Process, holders: Mapping[str, Mapping[int, str]], partitions: int, *, here: bool) -> Row:
    host, pid = _place(one)
    shares = [
        _share(room, [p for p in mine if holders.get(room, {}).get(p, one.id) == one.id], partitions)
        for room, mine in _rooms(one).items()
    ]
    gone = one.age > SILENT
    return Row(
        id=one.id,
        role=one.role,
        host=host,
        pid=pid,
        version=one.version,
        started_at=one.started_at,
        state=_state(one),
        heard="just now" if one.age <= LATE else f"{words.span(one.age)} ago",
        here=here,
        shares=[] if gone else shares,
        delivers=[] if gone else one.state.get("delivers", []),
        halts=[] if gone else halts([one]),
    )


def _state(one: Process) -> State:
    if one.age > SILENT:
        return "silent"
    if one.state.get("failed"):
        return "halted"
    if one.age > LATE:
        return "late"
    return "well" if one.state.get("ready", True) else "starting"


def _share(room: str, mine: Sequence[int], partitions: int) -> Share:
    full = words.ranges(mine)
    if not mine:
        text = "none"
    elif len(mine) == partitions:
        text = "all"
    else:
        text = full if len(full) <= _SHORT else f"{len(mine)} of {partitions}"
    return Share(room, text, full)


def _place(one: Process) -> tuple[str, str]:
    """Host and process id, of the `host:pid:start` it is called."""
    host, pid, _ = (*one.id.rsplit(":", 2), "", "")[:3]
    return host, pid


def _where(one: Process) -> str:
    host, pid = _place(one)
    return f"{one.role} on {host}, pid {pid}"


def summary(roles: Mapping[str, int]) -> str:
    """How many of what, in words.

    >>> summary({"worker": 3, "web": 2, "learner": 1})
    '2 web, 3 workers, 1 learner'
    """
    return ", ".join(
        words.plural(roles[role], role, role if role == "web" else None) for role in sorted(roles, key=_order)
    )


def _order(role: str) -> tuple[int, str]:
    """As the way of the data goes."""
    return (_ROLES.index(role) if role in _ROLES else len(_ROLES)), role
