"""A log and a database that are not of one moment: the log was lost, or comes from an older backup.

Offsets say what was applied. A log that begins again at 0 would give new records offsets that count as applied, and
they would be passed over without a word.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import Connection, func, select, update

from hub.sdk.errors import ConfigError
from hub.store import schema
from hub.store.database import Database
from hub.streams.log import Log

_OFFSETS = schema.offsets
_log = logging.getLogger(__name__)


def align(database: Database, stream: Log) -> None:
    """Let a log that is empty go on where the database stands, and say so; before anything is appended or claimed.

    Raises:
        ConfigError: the log has records, but ends before what was applied: which of them were cannot be known.
    """
    with database.read() as connection:
        stood = _stood(connection)
    ends = {topic: stream.ends(topic) for topic in stood}
    behind = {
        topic: places
        for topic, places in stood.items()
        if any(ends[topic].get(partition, 0) < next_ for partition, next_ in places.items())
    }
    if not behind:
        return
    for topic, places in behind.items():
        if any(ends[topic].values()) or not places.keys() <= ends[topic].keys():
            raise ConfigError(
                f"the log {stream.place} and the database are not of one moment: the log ends before what was applied. "
                "Restore both from one backup; or, if the log cannot be had again, remove it to go on without"
            )
    for topic, places in behind.items():
        stream.begin(topic, places)
    database.write(lambda connection: _catch_up(connection, behind)).result()
    _log.warning("streams.log_began_anew", extra={"topics": sorted(behind)})


def _stood(connection: Connection) -> Mapping[str, Mapping[int, int]]:
    """Topic -> partition -> what the furthest of its rooms reads next; without those where nothing was read yet."""
    furthest = func.max(_OFFSETS.c.next).label("next")
    asked = select(_OFFSETS.c.topic, _OFFSETS.c.partition, furthest).group_by(_OFFSETS.c.topic, _OFFSETS.c.partition)
    stood: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for topic, partition, next_ in connection.execute(asked.having(furthest > 0)):
        stood[topic][partition] = next_
    return stood


def _catch_up(connection: Connection, stood: Mapping[str, Mapping[int, int]]) -> None:
    """What a slower room had yet to read is lost with the log: it must not wait for it."""
    for topic, places in stood.items():
        for partition, next_ in places.items():
            here = (_OFFSETS.c.topic == topic) & (_OFFSETS.c.partition == partition) & (_OFFSETS.c.next < next_)
            connection.execute(update(_OFFSETS).where(here).values(next=next_))
