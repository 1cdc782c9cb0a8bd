"""Try again what could not be taken, and read again what a mended plugin reads better.

Everything here may run twice: ids that have been applied are duplicates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import msgspec
from sqlalchemy import select, update

from hub.ingest.answers import RefusedError
from hub.ingest.deadletters import Dead, letter_of
from hub.ingest.intake import Intake
from hub.ingest.raw import Kept
from hub.ingest.reading import cut, read
from hub.sdk.contracts import Raw, Source, Webhook
from hub.store import schema
from hub.store.database import Database
from hub.streams.log import Reads
from hub.streams.topics import ACTIONS, EVENTS, HEALTH, LABELS, RAW

_APPLIED: Final = frozenset(topic.name for topic in (EVENTS, HEALTH, ACTIONS, LABELS))  # topics that rooms apply
_AT_ONCE: Final = 200  # letters read from the table at a time


@dataclass(slots=True)
class Replayed:
    """What a replay came to.

    Attributes:
        letters: dead letters that are dead no more.
        accepted: events appended.
        duplicates: events that were known already.
        failed: letter's id -> why it is still one.
    """

    letters: int = 0
    accepted: int = 0
    duplicates: int = 0
    failed: dict[str, str] = field(default_factory=dict)


class Replay:
    """Replays dead letters.

    Args:
        database: holds them.
        intake: appends what comes of them.
        sources: as they are configured now.
        versions: connection -> version of its plugin.
        deliver: hands a letter of stage `deliver` to its destination again; False if there is none any more.
    """

    def __init__(
        self,
        database: Database,
        intake: Intake,
        sources: Sequence[Source],
        versions: Mapping[str, str] | None = None,
        deliver: Callable[[Dead], bool] = lambda _letter: False,
    ) -> None:
        self._database = database
        self._intake = intake
        self._sources = {source.name: source for source in sources}
        self._versions = versions or {}
        self._deliver = deliver

    def run(self, ids: Sequence[str] | None = None) -> Replayed:
        """Try these letters again, or all that are open; waits until what comes of them is on disk."""
        done = Replayed()
        wanted = self._open() if ids is None else list(dict.fromkeys(ids))
        for at in range(0, len(wanted), _AT_ONCE):
            some = wanted[at : at + _AT_ONCE]
            found = self._letters(some)
            done.failed.update((one, "there is no such dead letter") for one in some if one not in found)
            for letter in found.values():
                self._try(letter, done)
        return done

    def _try(self, letter: Dead, done: Replayed) -> None:
        match letter.stage:
            case "normalize":
                trouble = self._normalize(letter, done)
            case "apply":
                trouble = self._apply(letter, done)
            case _:
                trouble = None if self._deliver(letter) else f"{letter.connection} is not configured"
        if trouble is None:
            done.letters += 1
            self._mark(letter.id, state="replayed")
        else:
            done.failed[letter.id] = trouble
            self._mark(letter.id, reason=trouble, version=self._versions.get(letter.connection, letter.version))

    def _normalize(self, letter: Dead, done: Replayed) -> str | None:
        source = self._sources.get(letter.connection)
        if source is None:
            return f"{letter.connection} is not configured"
        received_at = _time(letter.context.get("received_at")) or datetime.fromtimestamp(letter.at, UTC)
        raw = Raw(
            body=letter.body,
            received_at=received_at,
            sent_at=_time(letter.context.get("sent_at")),
            path=str(letter.context.get("path") or ""),
        )
        events, letters = read(source, [raw], received_at, self._versions.get(source.name, ""))
        parcel = self._intake.pack(events, datetime.now(UTC).timestamp())
        self._intake.append(parcel).result()
        done.accepted += parcel.accepted
        done.duplicates += parcel.duplicates
        return letters[0].reason if letters else None

    def _apply(self, letter: Dead, done: Replayed) -> str | None:
        topic = str(letter.context.get("topic") or EVENTS.name)
        key = str(letter.context.get("account") or "")
        if topic not in _APPLIED:
            return f"records of topic {topic} are not replayed"
        entry = self._intake.again(topic, key.encode(), letter.body, datetime.now(UTC).timestamp())
        self._intake.log.append([entry]).result()
        done.accepted += topic == EVENTS.name
        return None

    def _open(self) -> list[str]:
        table = schema.dead_letters
        with self._database.read() as connection:
            return list(connection.scalars(select(table.c.id).where(table.c.state == "open").order_by(table.c.at)))

    def _letters(self, ids: Sequence[str]) -> dict[str, Dead]:
        with self._database.read() as connection:
            rows = connection.execute(select(schema.dead_letters).where(schema.dead_letters.c.id.in_(ids)))
            found = {row.id: letter_of(row) for row in rows}
        return {one: found[one] for one in ids if one in found}

    def _mark(self, letter: str, **values: str) -> None:
        table = schema.dead_letters
        self._database.write(lambda c: c.execute(update(table).where(table.c.id == letter).values(values))).result()


def replay_raw(source: Source, log: Reads, intake: Intake, since: float, version: str = "") -> Iterator[Replayed]:
    """Read a connection's kept bodies again, with the plugin as it is now; yields what it has come to so far.

    Args:
        source: the connection.
        log: keeps topic `raw` for 7 days.
        intake: appends to the same log.
        since: unix seconds.
        version: of the plugin, for dead letters.
    """
    done = Replayed()
    ends = log.ends(RAW.name)  # what comes in meanwhile has been read by the same plugin
    for partition, start in log.starts(RAW.name).items():
        at = start
        while at < ends[partition]:
            records = log.read(RAW.name, {partition: at}, _AT_ONCE)
            if not records:
                break
            at = records[-1].offset + 1
            for record in records:
                if record.timestamp >= since and (kept := _kept(record.value)) and kept.connection == source.name:
                    _again(source, kept, intake, version, done)
            yield done
    yield done


def _again(source: Source, kept: Kept, intake: Intake, version: str, done: Replayed) -> None:
    hook = Webhook(path=kept.path, headers=kept.headers, body=kept.body, query=kept.query)
    try:
        raws = cut(source, hook, kept.received_at)
    except RefusedError as refused:
        done.failed[f"{kept.connection} at {kept.received_at.isoformat()}"] = str(refused)
        return
    events, letters = read(source, raws, kept.received_at, version)
    parcel = intake.pack(events, datetime.now(UTC).timestamp(), letters)
    intake.append(parcel).result()
    done.accepted += parcel.accepted
    done.duplicates += parcel.duplicates
    done.failed.update((one.id, one.reason) for one in letters)


def _kept(value: bytes) -> Kept | None:
    try:
        return msgspec.json.decode(value, type=Kept)
    except msgspec.MsgspecError:
        return None


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
