"""A log and a database that are not of one moment: one of them was lost, or comes from an older backup.

Offsets say what was applied. A log that begins again at 0 would give new records offsets that count as applied, and
they would be passed over without a word. A database that is older than its log would give messages numbers that others
in the log have already, and readers would take what is new for what they know.
"""

from __future__ import annotations

import logging
import secrets
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, func, select, update

from hub.sdk.errors import ConfigError
from hub.store import schema
from hub.store.database import Database
from hub.store.expendable.naming import begin_anew
from hub.streams import belonging
from hub.streams.accounting import SCORING, note_given_up
from hub.streams.log import Log, Reads
from hub.streams.room import Record
from hub.streams.topics import ALL, EVENTS

_OFFSETS = schema.offsets
_OUTLETS = schema.outlets
_CHUNK: Final = 5_000
_BETWEEN: Final = frozenset(spec.name for spec in ALL) - {EVENTS.name}  # topics with messages between rooms
_log = logging.getLogger(__name__)

Place = tuple[str, str, int]  # room, topic, partition


def align(database: Database, stream: Log) -> None:
    """Let a log that is empty go on where the database stands, and say so; before anything is appended or claimed.

    Raises:
        ConfigError: the log has records, but ends before what was applied: which of them were cannot be known. Or it
            has let go of records that were not applied. Or it is not the database's.
    """
    with database.read() as connection:
        stood = _stood(connection)
    ends = {topic: stream.ends(topic) for topic in stood}
    behind: Mapping[str, Mapping[int, int]] = {
        topic: places
        for topic, places in stood.items()
        if any(ends[topic].get(partition, 0) < next_ for partition, next_ in places.items())
    }
    for topic, places in behind.items():
        if any(ends[topic].values()) or not places.keys() <= ends[topic].keys():
            raise ConfigError(
                f"the log {stream.place} and the database are not of one moment: the log ends before what was applied. "
                "Restore both from one backup; or, if the log cannot be had again, remove it to go on without"
            )
    belonging.check(database, stream)
    if behind:
        behind = database.write(lambda connection: _fence(connection, behind)).result()
        for topic, places in behind.items():
            stream.begin(topic, places)
        database.write(lambda connection: _catch_up(connection, behind)).result()
        _log.warning("streams.log_began_anew", extra={"topics": sorted(behind)})
    if gone := lost(database, stream):
        said = ", ".join(f"{many:,} of {topic} that {room} had yet to read" for (room, topic), many in gone.items())
        raise ConfigError(
            f"the log {stream.place} has let go of records that were not applied: {said}. Restore a newer backup; or go"
            " on without them: `pulsehub streams --give-up`"
        )
    number_above(database, stream, _BETWEEN)
    belonging.keep(database, stream)


def lost(database: Database, stream: Reads) -> dict[tuple[str, str], int]:
    """(room, topic) -> how many records the log has let go of that the room had yet to read, where there are any.

    A room that is new has none: what was before it is not lost.
    """
    found: defaultdict[tuple[str, str], int] = defaultdict(int)
    for (room, topic, _), many in _gone(database, stream).items():
        found[room, topic] += many
    return dict(found)


def give_up(database: Database, stream: Reads) -> dict[tuple[str, str], int]:
    """Go on behind what is `lost`, and count it among the dead letters; what was given up."""
    gone = _gone(database, stream)
    total = sum(many for (room, topic, _), many in gone.items() if (room, topic) == (SCORING, EVENTS.name))

    def job(connection: Connection) -> None:
        for (room, topic, partition), many in gone.items():
            here = (_OFFSETS.c.room == room) & (_OFFSETS.c.topic == topic) & (_OFFSETS.c.partition == partition)
            values = {"next": _OFFSETS.c.next + many, "dead_lettered": _OFFSETS.c.dead_lettered + many}
            connection.execute(update(_OFFSETS).where(here).values(values))
        note_given_up(connection, total)

    found = lost(database, stream)
    if gone:
        database.write(job).result()
    return found


def number_above(database: Database, stream: Reads, topics: Collection[str]) -> None:
    """Let rooms go on above the numbers of what the log has from them already.

    Where the database was never set back there is nothing of that kind, since a number is on disk before its message
    is sent. So the log is read first, then the database.
    """
    with database.read() as connection:
        stood = _stood(connection)
        speaking = set(connection.scalars(select(_OUTLETS.c.topic).distinct()))
    highest: defaultdict[Place, int] = defaultdict(int)
    for topic in sorted(speaking & set(topics)):
        positions = {**stream.starts(topic), **stood.get(topic, {})}
        ends = stream.ends(topic)
        while positions := {p: at for p, at in positions.items() if at < ends.get(p, 0)}:
            records = stream.read(topic, positions, _CHUNK)
            for record in records:
                positions[record.partition] = record.offset + 1
                if record.producer:
                    place = speaker(topic, record)
                    highest[place] = max(highest[place], record.sequence)
            if not records:
                break
    if highest:
        database.write(lambda connection: _number(connection, highest)).result()


def speaker(topic: str, record: Record) -> Place:
    """Whose number a message carries: the room and the partition it spoke for, see `Publisher.entries`."""
    room, _, source = record.producer.partition("@")
    return room, topic, int(source) if source else record.partition


def _number(connection: Connection, highest: Mapping[Place, int]) -> None:
    rows = connection.execute(select(_OUTLETS).where(_OUTLETS.c.topic.in_({topic for _, topic, _ in highest}))).all()
    raised = 0
    for row in rows:
        above = highest.get((row.room, row.topic, row.partition), 0) + 1
        if above > row.next:
            here = [_OUTLETS.c[name] == getattr(row, name) for name in ("room", "topic", "partition")]
            connection.execute(update(_OUTLETS).where(*here).values(next=above))
            raised += 1
    if raised:
        _log.warning("streams.database_set_back", extra={"outlets": raised})


def _gone(database: Database, stream: Reads) -> dict[Place, int]:
    with database.read() as connection:
        rows = connection.execute(select(_OFFSETS)).all()
    begun = [row for row in rows if row.next or row.room == SCORING]
    starts = {topic: stream.starts(topic) for topic in {row.topic for row in begun}}
    found = {(row.room, row.topic, row.partition): starts[row.topic].get(row.partition, 0) - row.next for row in begun}
    return {place: many for place, many in found.items() if many > 0}


def _stood(connection: Connection) -> Mapping[str, Mapping[int, int]]:
    """Topic -> partition -> what the furthest of its rooms reads next; without those where nothing was read yet."""
    furthest = func.max(_OFFSETS.c.next).label("next")
    asked = select(_OFFSETS.c.topic, _OFFSETS.c.partition, furthest).group_by(_OFFSETS.c.topic, _OFFSETS.c.partition)
    stood: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for topic, partition, next_ in connection.execute(asked.having(furthest > 0)):
        stood[topic][partition] = next_
    return stood


def _fence(connection: Connection, topics: Collection[str]) -> Mapping[str, Mapping[int, int]]:
    """Let nobody move them who has read them as they were; returns where they stand.

    A worker that lives may have records of the lost log in hand, or go on reading where the new one has others.
    """
    connection.execute(update(_OFFSETS).where(_OFFSETS.c.topic.in_(list(topics))).values(epoch=secrets.randbits(63)))
    stood = _stood(connection)
    return {topic: stood[topic] for topic in topics}


def _catch_up(connection: Connection, stood: Mapping[str, Mapping[int, int]]) -> None:
    """What a slower room had yet to read is lost with the log: it must not wait for it, and may come again."""
    begin_anew(connection)
    for topic, places in stood.items():
        for partition, next_ in places.items():
            here = (_OFFSETS.c.topic == topic) & (_OFFSETS.c.partition == partition) & (_OFFSETS.c.next < next_)
            connection.execute(update(_OFFSETS).where(here).values(next=next_))
