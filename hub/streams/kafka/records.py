"""How our records travel: the key and value as they are, where they come from as a header.

One header `outbox`, `<sequence> <room>`, instead of two: a header costs its name in every record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from faust.types import TP, ConsumerMessage

from hub.streams.batches import Batch
from hub.streams.log import Entry
from hub.streams.room import Record

OUTBOX: Final = "outbox"


def headers_of(entry: Entry) -> Sequence[tuple[str, bytes]]:
    """Headers of a record to write."""
    if not entry.producer:
        return entry.headers
    return [(OUTBOX, b"%d %b" % (entry.sequence, _bytes(entry.producer))), *entry.headers]


def records_of(found: Iterable[Any], base: int) -> list[Record]:
    """Records as rooms know them, of one partition's `ConsumerRecord`s; `base` is what our offsets are ahead by."""
    return [
        Record(r.partition, r.offset + base, r.timestamp / 1000, r.key, r.value or b"", *_origin(r.headers))
        if r.headers
        else Record(r.partition, r.offset + base, r.timestamp / 1000, r.key, r.value or b"")
        for r in found
    ]


def message_of(tp: TP, record: Any, generation: int) -> ConsumerMessage:
    """What Faust passes on: a `ConsumerRecord` as it is, or a batch in the place of its first record."""
    if isinstance(record, Batch):
        first = record.records[0]
        parts: tuple[Any, ...] = (first.offset, first.timestamp, 1, [], None, record, None, 0, 0)
    else:
        sizes = (record.serialized_key_size, record.serialized_value_size)
        time = record.timestamp / 1000
        parts = (record.offset, time, record.timestamp_type, list(record.headers), record.key, record.value)
        parts = (*parts, record.checksum, *sizes)
    return ConsumerMessage(tp.topic, tp.partition, *parts, tp, generation_id=generation)


def _origin(headers: Sequence[tuple[str, bytes]]) -> tuple[str, int]:
    for name, value in headers:
        if name == OUTBOX:
            sequence, _, producer = value.partition(b" ")
            if sequence.isdigit():
                return _text(producer), int(sequence)
    return "", 0


@lru_cache(256)
def _bytes(producer: str) -> bytes:
    return producer.encode()


@lru_cache(256)
def _text(producer: bytes) -> str:
    return producer.decode(errors="replace")
