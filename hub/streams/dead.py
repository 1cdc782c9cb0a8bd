"""A record that could not be applied, as a message of topic `dead-letters`."""

from __future__ import annotations

from typing import Final

import msgspec

from hub.streams.room import DeadLetter, Message

_MOST: Final = 5_767_168  # bytes of a body: in base64, with all that is said of it, still a record that Kafka takes
_KEY: Final = 1_000  # characters of a key


def letter(room: str, topic: str, dead: DeadLetter, at: float) -> Message:
    """JSON with the fields of `hub.ingest.deadletters.Dead`; its id is made of where the record is.

    A record that fills the log's largest one is cut, or its letter could never be sent; the log keeps it whole.

    Args:
        room: which could not apply it.
        topic: it was read from.
        dead: the record and the reason.
        at: unix seconds.
    """
    record = dead.record
    key = (record.key or b"").decode("utf-8", "replace")[:_KEY]
    cut = f" (the first {_MOST} of its {len(record.value)} bytes are kept here)" if len(record.value) > _MOST else ""
    value = {
        "id": f"{room}:{topic}:{record.partition}:{record.offset}",
        "at": at,
        "stage": "apply",
        "connection": dead.connection,
        "reason": dead.reason + cut,
        "version": dead.version,
        "context": {
            "room": room,
            "topic": topic,
            "partition": record.partition,
            "offset": record.offset,
            "account": key,
        },
        "body": record.value[:_MOST],
    }
    return Message((dead.connection or room).encode(), msgspec.json.encode(value))
