"""A record that could not be applied, as a message of topic `dead-letters`."""

from __future__ import annotations

import msgspec

from hub.streams.room import DeadLetter, Message


def letter(room: str, topic: str, dead: DeadLetter, at: float) -> Message:
    """JSON with the fields of `hub.ingest.deadletters.Dead`; its id is made of where the record is.

    Args:
        room: which could not apply it.
        topic: it was read from.
        dead: the record and the reason.
        at: unix seconds.
    """
    record = dead.record
    key = (record.key or b"").decode("utf-8", "replace")
    value = {
        "id": f"{room}:{topic}:{record.partition}:{record.offset}",
        "at": at,
        "stage": "apply",
        "connection": dead.connection,
        "reason": dead.reason,
        "version": dead.version,
        "context": {
            "room": room,
            "topic": topic,
            "partition": record.partition,
            "offset": record.offset,
            "account": key,
        },
        "body": record.value,
    }
    return Message((dead.connection or room).encode(), msgspec.json.encode(value))
