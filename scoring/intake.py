"""From records to events that may be folded: decoded, sane, each once; the others with their reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from hub import Event
from hub.ingest.dedupe import digest_of
from hub.ingest.identity import survivor_of
from hub.store import schema
from hub.store.among import Among
from hub.streams.room import DeadLetter, Message, Record
from scoring.clock import FUTURE, PAST

_MOST: Final = 1e15
_LONGEST: Final = 255
_one: Final = msgspec.json.Decoder(Event).decode
_many: Final = msgspec.json.Decoder(list[Event]).decode
_SEEN: Final = Among(select(schema.seen.c.digest), schema.seen.c.digest)


class Taken(NamedTuple):
    """One event on its way into an account."""

    event: Event
    account: str
    time: float
    digest: bytes
    record: Record


@dataclass(slots=True)
class Intake:
    """A batch, sorted into what becomes of its records; each is exactly one of these. `began` is unix nanoseconds."""

    fresh: list[Taken] = field(default_factory=list)
    forwarded: list[Message] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    duplicates: int = 0
    began: int = field(default_factory=time.time_ns)


def read(
    connection: Connection,
    batch: Sequence[Record],
    wall: float,
    merges: Mapping[str, str],
) -> Intake:
    """Sort a batch.

    Args:
        connection: knows which ids were applied.
        batch: as it was on the log.
        wall: unix seconds; what is dated more than a day later is refused.
        merges: absorbed account -> its survivor.
    """
    out, whole = Intake(), []
    for record, event in zip(batch, _decoded(batch), strict=True):
        if isinstance(event, str):
            out.dead.append(DeadLetter(record, event))
        elif (reason := refusal(event, wall)) or (account := _account(record.key)) is None:
            reason = reason or "the record's key names no account"
            out.dead.append(DeadLetter(record, reason, connection=event.connection))
        elif account in merges:
            survivor = survivor_of(account, merges)
            out.forwarded.append(Message(survivor.encode(), record.value))
        else:
            digest = digest_of(event.connection, event.id)
            whole.append(Taken(event, account, event.occurred_at.timestamp(), digest, record))
    known = {row[0] for row in _SEEN.rows(connection, [taken.digest for taken in whole])}
    for taken in whole:
        if taken.digest in known:
            out.duplicates += 1
        else:
            known.add(taken.digest)
            out.fresh.append(taken)
    return out


def refusal(event: Event, wall: float) -> str | None:
    """Why an event must not be folded, in words that quote nothing a customer wrote; None if it may."""
    if undated := _undated(event.occurred_at, wall):
        return undated
    if not 0 < len(event.id) <= _LONGEST or not 0 < len(event.kind) <= _LONGEST or not event.account:
        return "id and kind must have 1 to 255 characters, and account must name somebody"
    if event.amount is not None and not (event.amount.is_finite() and abs(event.amount) <= _MOST):
        return f"amount is not a number within {_MOST:.0e}"
    if event.value is not None and not abs(event.value) <= _MOST:
        return f"value is not a number within {_MOST:.0e}"
    return None


def _undated(at: datetime, wall: float) -> str | None:
    if at.tzinfo is None:
        return "occurred_at has no time zone"
    time = at.timestamp()
    if time < PAST:
        return f"occurred_at is {at:%Y-%m-%d}: before 1971 nothing happened"
    if time > wall + FUTURE:
        return f"occurred_at is {at:%Y-%m-%d %H:%M}: more than a day in the future"
    return None


def _decoded(batch: Sequence[Record]) -> list[Event | str]:
    """Each record's event, or why it has none. All at once where all are well, which is three times as fast."""
    try:
        events: list[Any] = _many(b"[" + b",".join([record.value for record in batch]) + b"]")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    else:
        if len(events) == len(batch):  # `1},{2` would be two
            return events
    return [_alone(_one, record.value) for record in batch]


def _alone(decode: Callable[[bytes], Event], value: bytes) -> Event | str:
    try:
        return decode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return f"not an event: {error}"


def _account(key: bytes | None) -> str | None:
    try:
        return (key or b"").decode() or None
    except UnicodeDecodeError:
        return None
