"""`streams`: what the log holds, how far each room has come, and which process has which partitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Annotated, Any, Final

import typer
from sqlalchemy import Connection, select

from hub.cli import context
from hub.cli.output import Json, Styled, answer, aside, plain, print_json, print_table
from hub.sdk.errors import HubError
from hub.settings import Settings
from hub.store import schema
from hub.store.database import Database
from hub.store.heartbeats import Process, alive
from hub.streams import belonging
from hub.streams.aligning import give_up, lost
from hub.streams.log import Reads
from hub.streams.opening import look_at
from hub.streams.sqlite.logfile import LogReader
from hub.streams.topics import ALL, DAY

_FAMILIAR: Final = 1024.0


def streams(
    *,
    give_lost_up: Annotated[
        bool,
        typer.Option("--give-up", help="Go on without records that the log let go of before they were read."),
    ] = False,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt", help="From now on the database belongs to this log; the one it belonged to is lost, or moved."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """List topics, and rooms with their lag and who holds their partitions."""
    settings, _ = context.load()
    with context.opened(settings) as database:
        if adopt:
            _adopt(settings, database)
        with log_of(settings, database) as log:
            given = give_up(database, log) if give_lost_up else {}
            with database.read() as connection:
                rooms = _rooms(connection, log, alive(connection))
            gone = lost(database, log)
            topics = _topics(log)
            place = log.place
    if as_json:
        print_json(
            {
                "place": place,
                "partitions": log.partitions,
                "topics": topics,
                "rooms": rooms,
                "lost": [{"room": room, "topic": topic, "records": many} for (room, topic), many in gone.items()],
                "given_up": [{"room": room, "topic": topic, "records": many} for (room, topic), many in given.items()],
            }
        )
        return
    for (room, topic), many in given.items():
        aside.print(f"{room} goes on without {many:,} records of {topic}")
    answer.print(f"{place}, {log.partitions} partitions of each topic", markup=False)
    answer.print()
    print_table(
        ("topic", "records", "ever", "kept for", "size"),
        [
            (
                one["topic"],
                f"{one['records']:,}",
                f"{one['ever']:,}",
                f"{one['retention_days']:g} days" + (", newest of a key" if one["compact"] else ""),
                _bytes(one["bytes"]),
            )
            for one in topics
        ],
        "",
    )
    answer.print()
    print_table(
        ("room", "reads", "lag", "partitions"),
        [(one["room"], one["topic"], _lag(one["lag"]), _held(one["held"])) for one in rooms],
        "No room has read anything yet: `pulsehub up`, or `pulsehub worker`, runs them.",
    )
    for (room, topic), many in gone.items():
        answer.print(f"[red]▼[/] {room}: {many:,} records of {topic} are gone unread; `--give-up` goes on without")


@contextmanager
def log_of(settings: Settings, database: Database, *, whose: bool = True) -> Iterator[Reads]:
    """The installation's log, to look at: nothing is made. `whose`: only if it is the database's.

    Raises:
        HubError: there is none yet, or it does not answer.
    """
    log = look_at(settings.stream, settings.topic_partitions, database, whose=whose)
    if log is None:
        raise HubError(f"there is no log in {settings.data}; the next `pulsehub up` makes one")
    with closing(log):
        yield log


def _adopt(settings: Settings, database: Database) -> None:
    context.unused(database)
    with log_of(settings, database, whose=False) as log:
        belonging.adopt(database, log)
        aside.print(f"{plain(database.name)} belongs to {plain(log.place)} now: the next start goes on there")


def _topics(log: Reads) -> list[dict[str, Any]]:
    """Of each topic: records kept, records ever, retention, and bytes where the log knows."""
    sizes = log.sizes() if isinstance(log, LogReader) else {}
    found = []
    for spec in ALL:
        starts, ends = log.starts(spec.name), log.ends(spec.name)
        found.append(
            {
                "topic": spec.name,
                "partitions": len(ends),
                "records": sum(ends.values()) - sum(starts.values()),
                "ever": sum(ends.values()),
                "retention_days": spec.retention / DAY,
                "compact": spec.compact,
                "bytes": sizes.get(spec.name, 0) if isinstance(log, LogReader) else None,
            }
        )
    return found


def _rooms(connection: Connection, log: Reads, processes: Sequence[Process]) -> list[dict[str, Any]]:
    """Of each room: its lag in records, and by process the partitions it says it holds."""
    table = schema.offsets
    stood: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for room, topic, partition, next_ in connection.execute(
        select(table.c.room, table.c.topic, table.c.partition, table.c.next).order_by(table.c.room, table.c.topic)
    ):
        stood[room, topic][partition] = next_
    ends = {topic: log.ends(topic) for topic in {topic for _, topic in stood}}
    return [
        {
            "room": room,
            "topic": topic,
            "lag": sum(end - places.get(partition, 0) for partition, end in ends[topic].items()),
            "held": {
                one.id: sorted(one.state.get("rooms", {}).get(room, ()))
                for one in processes
                if one.state.get("rooms", {}).get(room)
            },
        }
        for (room, topic), places in stood.items()
    ]


def _lag(records: int) -> Styled:
    return Styled(f"[yellow]{records:,}[/]" if records > 0 else f"[red]{records:,}[/]" if records < 0 else "0")


def _held(held: Mapping[str, Sequence[int]]) -> str:
    return "; ".join(f"{','.join(_ranges(places))} at {process}" for process, places in held.items()) or "nobody"


def _ranges(places: Sequence[int]) -> Iterator[str]:
    """Numbers as people write them.

    >>> list(_ranges([0, 1, 2, 5]))
    ['0-2', '5']
    """
    first = 0
    for at in range(1, len(places) + 1):
        if at == len(places) or places[at] != places[at - 1] + 1:
            yield str(places[first]) if at - first == 1 else f"{places[first]}-{places[at - 1]}"
            first = at


def _bytes(size: int | None) -> str:
    """Binary units; a dash where nobody says.

    >>> _bytes(3_355_443)
    '3.2 MiB'
    """
    if size is None:
        return "–"
    amount = float(size)
    for unit in ("B", "KiB", "MiB"):
        if amount < _FAMILIAR:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= _FAMILIAR
    return f"{amount:.1f} GiB"
