"""`streams`: what the log holds, how far each room has come, and which process has which partitions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from sqlalchemy import Connection

from hub.cli import context
from hub.cli.output import Json, Styled, answer, aside, plain, print_json, print_table
from hub.sdk.errors import HubError
from hub.settings import Settings
from hub.store.database import Database
from hub.store.heartbeats import Process, alive
from hub.streams import belonging
from hub.streams.aligning import give_up, lost
from hub.streams.log import Reads
from hub.streams.opening import look_at
from hub.streams.sqlite.logfile import LogReader
from hub.streams.topics import ALL, DAY
from hub.streams.unread import unread
from hub.web.words import span

if TYPE_CHECKING:
    from hub.streams.kafka.describing import Kept

_FAMILIAR: Final = 1024.0
_LONG: Final = 60.0  # seconds that a record may wait before it is colored


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
    by_partition: Annotated[bool, typer.Option("--by-partition", help="The lag of each partition, too.")] = False,
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
                rooms = _rooms(connection, log, alive(connection), by_partition=by_partition)
            gone = lost(database, log)
            topics = _topics(log, _kept(settings))
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
        ("topic", "records", "ever", "kept for", "size", "replicas"),
        [
            (
                one["topic"],
                f"{one['records']:,}",
                f"{one['ever']:,}",
                f"{one['retention_days']:g} days" + (", newest of a key" if one["compact"] else ""),
                _bytes(one["bytes"]),
                _replicas(one),
            )
            for one in topics
        ],
        "",
    )
    answer.print()
    print_table(
        ("room", "reads", "lag", "waits", "partitions"),
        [(one["room"], one["topic"], _lag(one["lag"]), _waits(one["seconds"]), _held(one["held"])) for one in rooms],
        "No room has read anything yet: `pulsehub up`, or `pulsehub worker`, runs them.",
    )
    if by_partition:
        answer.print()
        print_table(
            ("room", "partition", "lag"),
            [(one["room"], partition, _lag(many)) for one in rooms for partition, many in one["lags"].items() if many],
            "No partition has anything left to read.",
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


def _kept(settings: Settings) -> Mapping[str, Kept]:
    """How Kafka keeps each topic; nothing of a file."""
    if not settings.stream.startswith("kafka:"):
        return {}
    from hub.streams.kafka.broker import Broker  # noqa: PLC0415 - a file needs none of it
    from hub.streams.kafka.describing import describe  # noqa: PLC0415

    return describe(Broker.at(settings.stream), [spec.name for spec in ALL]).topics


def _topics(log: Reads, kept: Mapping[str, Kept]) -> list[dict[str, Any]]:
    """Of each topic: records kept, records ever, retention, and bytes or replicas where the log knows."""
    sizes = log.sizes() if isinstance(log, LogReader) else {}
    found = []
    for spec in ALL:
        starts, ends, how = log.starts(spec.name), log.ends(spec.name), kept.get(spec.name)
        found.append(
            {
                "topic": spec.name,
                "partitions": len(ends),
                "records": sum(ends.values()) - sum(starts.values()),
                "ever": sum(ends.values()),
                "retention_days": spec.retention / DAY,
                "compact": spec.compact,
                "bytes": sizes.get(spec.name, 0) if isinstance(log, LogReader) else None,
                "replicas": how and how.replicas,
                "in_sync": how and how.in_sync,
                "min_in_sync": how and how.least,
            }
        )
    return found


def _rooms(
    connection: Connection, log: Reads, processes: Sequence[Process], *, by_partition: bool
) -> list[dict[str, Any]]:
    """Of each room: its lag in records and in seconds, and by process the partitions it says it holds."""
    now = time.time()
    return [
        {
            "room": one.room,
            "topic": one.topic,
            "lag": sum(one.records.values()),
            "seconds": max(0.0, now - one.since) if one.since is not None else 0.0,
            **({"lags": dict(sorted(one.records.items()))} if by_partition else {}),
            "held": {
                process.id: sorted(process.state.get("rooms", {}).get(one.room, ()))
                for process in processes
                if process.state.get("rooms", {}).get(one.room)
            },
        }
        for one in unread(connection, log)
    ]


def _replicas(one: Mapping[str, Any]) -> Styled:
    """How many there are, and those that have all of it if that is fewer; a dash where it is a file."""
    if one["replicas"] is None:
        return Styled("–")
    short = one["in_sync"] < one["replicas"]
    return Styled(f"[yellow]{one['replicas']}, {one['in_sync']} in sync[/]" if short else str(one["replicas"]))


def _waits(seconds: float) -> Styled:
    return Styled(f"[yellow]{span(seconds)}[/]" if seconds >= _LONG else span(seconds) if seconds else "–")


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
