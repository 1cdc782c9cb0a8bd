"""Retention and compaction of one partition of a log, in small transactions.

What goes leaves a hole: offsets are never given twice, so a reader just finds the next record.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final

from hub.streams.room import Record
from hub.streams.sqlite.logfile import Topic, decode_extras, decode_records, encode_extras, encode_records, position

_SEGMENTS: Final = 64  # of one transaction
_RECORDS: Final = 256  # of a segment written by compaction

Job = Callable[[sqlite3.Connection], Any]
Do = Callable[[Job], Any]


def trim(do: Do, topic: Topic, partition: int, limit: int | None, now: float) -> int:
    """Drop what is old, then what is superseded; returns how many records went.

    Args:
        do: runs a job in a transaction of its own and returns what it returned.
        topic: whose retention and compaction count.
        partition: of the topic.
        limit: first offset that must stay; None when no reader needs any.
        now: unix seconds.
    """
    gone = 0
    while dropped := do(lambda connection: _expire(connection, topic, partition, limit, now - topic.retention)):
        gone += dropped
    if topic.compact:
        gone += _compact(do, topic, partition, limit)
    return gone


def _expire(connection: sqlite3.Connection, topic: Topic, partition: int, limit: int | None, before: float) -> int:
    rows = connection.execute(
        "select position, next, newest, records from segments where position between ? and ? order by position limit ?",
        (position(topic.id, partition, 0), position(topic.id, partition + 1, 0) - 1, _SEGMENTS),
    ).fetchall()
    gone, start, keys = 0, 0, []
    for key, next_, newest, records in rows:
        if newest >= before or (limit is not None and next_ > limit):
            break
        gone += len(decode_records(records))
        start = next_
        keys.append((key,))
    if keys:
        connection.executemany("delete from segments where position = ?", keys)
        connection.execute(
            "update partitions set start = ? where topic = ? and partition = ?",
            (start, topic.id, partition),
        )
    return gone


def _compact(do: Do, topic: Topic, partition: int, limit: int | None) -> int:
    """From the newest segment to the oldest, keep of each key what has not been seen.

    The newest record of a key may lie beyond `limit`; it still supersedes those before it. Records without a key
    supersede nothing. Holds the distinct keys of the partition while it runs.
    """
    seen: set[bytes] = set()
    low, high = position(topic.id, partition, 0), position(topic.id, partition + 1, 0) - 1
    gone = 0
    while True:

        def step(connection: sqlite3.Connection, low: int = low, high: int = high) -> tuple[int, int] | None:
            rows = connection.execute(
                "select position, next, records, extras from segments where position between ? and ?"
                " order by position desc limit ?",
                (low, high, _SEGMENTS),
            ).fetchall()
            if not rows:
                return None
            return rows[-1][0] - 1, _rewrite(connection, position(topic.id, partition, 0), rows, seen, limit)

        done = do(step)
        if done is None:
            return gone
        high, dropped = done
        gone += dropped


def _rewrite(
    connection: sqlite3.Connection,
    base: int,
    rows: list[tuple[int, int, bytes, bytes | None]],
    seen: set[bytes],
    limit: int | None,
) -> int:
    """Write these segments (newest first) anew, joined and without what is superseded."""
    kept: list[Record] = []
    extras: dict[int, Any] = {}
    gone = 0
    touched: list[tuple[int]] = []
    last = 0
    for key, next_, blob, extra in rows:
        records = decode_records(blob)
        safe = limit is None or next_ <= limit
        stay = []
        for record in reversed(records):
            if record.key is None:
                stay.append(record)
                continue
            if record.key not in seen or not safe:
                stay.append(record)
            seen.add(record.key)
        if safe:
            gone += len(records) - len(stay)
            kept += stay
            touched.append((key,))
            last = max(last, next_)
            if extra is not None:
                extras |= decode_extras(extra)
    small = len(touched) > 1 and len(kept) < len(touched) * _RECORDS // 2
    if not gone and not small:
        return 0
    kept.reverse()
    connection.executemany("delete from segments where position = ?", touched)
    for first in range(0, len(kept), _RECORDS):
        part = kept[first : first + _RECORDS]
        here = {record.offset: extras[record.offset] for record in part if record.offset in extras}
        connection.execute(
            "insert into segments values (?, ?, ?, ?, ?)",
            (
                base + part[0].offset,
                part[-1].offset + 1,
                max(record.timestamp for record in part),
                encode_records(part),
                encode_extras(here) if here else None,
            ),
        )
    return gone
