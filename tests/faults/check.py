"""What must hold once everything is drained, whatever was broken meanwhile."""

import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, func, select

from hub.registry import Registry
from hub.sdk.health import Health
from hub.settings import Settings
from hub.store import schema
from hub.store.database import Database
from hub.streams.accounting import archived, books
from hub.streams.log import Log
from hub.streams.topics import partition_of
from hub.worker.beside import Beside
from plugins.zendesk.sink import OrganizationFields
from scoring import archive, entities
from scoring.accounts import Accounts, measures_of
from scoring.loading import load
from scoring.measures import MeasureSet
from scoring.rows import Rows
from scoring.scorers import Scorers
from sinks.email.message import message_id
from sinks.webhook import Webhook
from tests.faults import history
from tests.faults.destinations import Destinations
from tests.faults.traffic import Id

CLOSE = 1e-9  # relative
LOOK = 0.3  # seconds
MAIL_DOMAIN = "localhost"


class Quiet(NamedTuple):
    """Where everything stood at one look."""

    offsets: tuple
    ends: tuple
    waiting: int


@dataclass
class Findings:
    """What a look came to.

    Attributes:
        wrong: what does not hold; empty when all does.
        late: values shown after newer ones.
        mailed_again: mails that came more than once.
        figures: for the table.
    """

    wrong: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    mailed_again: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)


def drain(beside: Beside, patience: float, *, deliveries: bool = True) -> str | None:
    """Wait until every room has read all there is, nothing waits to be sent, and that lasts; else what was left."""
    until, before, told = time.monotonic() + patience, None, 0.0
    while True:
        now = _stand(beside)
        behind = [
            f"{room} {next_}/{end}" for (room, next_), end in zip(now.offsets, now.ends, strict=True) if next_ < end
        ]
        if not behind and (not deliveries or not now.waiting):
            if now == before:
                return None
            before = now
        else:
            before = None
        if deliveries and not behind and time.monotonic() - told > 2:
            told = time.monotonic()  # nobody wants to wait for a backoff of minutes: an operator says "now"
            beside.database.write(_hurry).result()
        if time.monotonic() > until:
            return (
                f"after {patience:.0f} s {', '.join(behind) or 'no room'} is behind and there wait {_waiting(beside)}"
            )
        time.sleep(LOOK)


def _hurry(connection: Connection) -> None:
    for table in (schema.desired, schema.alerts):
        connection.execute(table.update().where(table.c.state == "due").values(next_at=0.0))
    connection.execute(schema.destinations.update().values(open_until=0.0))


def _stand(beside: Beside) -> Quiet:
    offsets = schema.offsets
    asked = select(offsets.c.room, offsets.c.topic, func.sum(offsets.c.next)).group_by(offsets.c.room, offsets.c.topic)
    with beside.database.read() as connection:
        rows = sorted((room, topic, int(done)) for room, topic, done in connection.execute(asked))
        waiting = 0
        for table in (schema.desired, schema.alerts):
            waiting += connection.scalar(select(func.count()).where(table.c.state.in_(["due", "pending"]))) or 0
        waiting += len(unsent(connection, beside.log))
    ends = {topic: sum(beside.log.ends(topic).values()) for _, topic, _ in rows}
    return Quiet(tuple((room, done) for room, _, done in rows), tuple(ends[topic] for _, topic, _ in rows), waiting)


def _waiting(beside: Beside) -> list[str]:
    """Deliveries that are not over, by destination."""
    with beside.database.read() as connection:
        found = []
        for table in (schema.desired, schema.alerts):
            asked = select(table.c.sink, table.c.state, func.count(), func.min(table.c.reason))
            asked = asked.where(table.c.state.in_(["due", "pending"])).group_by(table.c.sink, table.c.state)
            found += [f"{many} {sink} {state} ({why})" for sink, state, many, why in connection.execute(asked)]
        found += [str(tuple(row)) for row in connection.execute(select(schema.destinations))]
        return found


def look(
    beside: Beside,
    settings: Settings,
    acknowledged: set[Id],
    destinations: Destinations,
    *,
    taken: int,
    poison: int,
    letters: set[str],
    audited: str = "",
) -> Findings:
    """Everything, at one moment of the database.

    Args:
        beside: the installation.
        settings: its.
        acknowledged: ids that a door said it has.
        destinations: what they showed.
        taken: records of webhooks that doors said they have, repeats included.
        poison: records put on the log that are no events; each acknowledged.
        letters: ids of the dead letters of records that nobody can read, in webhooks a door took.
        audited: URL of the database whose history was kept.
    """
    found = Findings()
    with beside.database.read() as connection:
        found.wrong += _events(connection, beside, acknowledged, taken, poison, letters, found)
        found.wrong += _accounts(connection, settings)
        found.wrong += _ledger(connection)
        found.wrong += _shown(connection, destinations, found)
        found.wrong += _mailed(connection, destinations, found)
    if audited:
        seen = history.moves(audited)
        found.figures["moves"] = len(seen)
        found.wrong += history.wrong(seen)
    return found


# --- events -----------------------------------------------------------------------------------------------------


def _events(  # noqa: PLR0917 - what there is to compare
    connection: Connection,
    beside: Beside,
    acknowledged: set[Id],
    taken: int,
    poison: int,
    letters: set[str],
    found: Findings,
) -> Iterator[str]:
    table = schema.archive
    rows = connection.execute(select(table.c.connection, table.c.event)).tuples().all()
    kept = set(rows)
    if len(kept) != len(rows):
        yield f"{len(rows) - len(kept)} events are in the archive twice"
    if lost := acknowledged - kept:
        yield f"{len(lost)} acknowledged events are not in the archive, {sorted(lost)[:3]}"
    ours = {connection for connection, _ in acknowledged}
    if strange := {one for one in kept - acknowledged if one[0] in ours}:
        yield f"{len(strange)} events are in the archive that no door acknowledged, {sorted(strange)[:3]}"
    seen = connection.scalar(select(func.count()).select_from(schema.seen)) or 0
    if seen != len(kept):
        yield f"{seen} ids are remembered and {len(kept)} events archived"
    said = books(connection, beside.log)
    if not said.balanced or said.pending or said.applied != archived(connection):
        yield f"the books do not balance: {said}"
    if said.received < taken + poison:  # a webhook whose answer was lost is counted and came again
        yield f"doors acknowledged {taken} records, {poison} more were put on the log, and {said.received} are counted"
    dead = set(connection.scalars(select(schema.dead_letters.c.id)))
    if lost_letters := letters - dead:
        yield f"{len(lost_letters)} of {len(letters)} records that nobody can read are no dead letters"
    if len(dead - letters) < poison:
        yield f"{poison} records of the log are no events, and {len(dead - letters)} of them are dead letters"
    if left := unsent(connection, beside.log):
        yield f"{len(left)} messages of the outbox are not on the log, {left[:3]}"
    found.figures |= {"archived": len(kept), "duplicates": said.duplicates, "dead_lettered": said.dead_lettered}


def unsent(connection: Connection, log: Log) -> list[tuple]:
    """What waits in the outbox and is not on the log.

    Of a room that has nothing more to do, the last message stays in the table: it is dropped with the room's next
    transaction, or sent once more by the next start, and then skipped by who reads.
    """
    table = schema.outgoing
    columns = (table.c.topic, table.c.room, table.c.partition, table.c.sequence, table.c.key)
    waiting = []
    for topic, room, source, sequence, key in connection.execute(select(*columns)).tuples():
        partition = partition_of(key, log.partitions)
        waiting.append((topic, partition, room if partition == source else f"{room}@{source}", sequence))
    logged = _logged(log, {topic for topic, *_ in waiting})
    return [one for one in waiting if one not in logged]


def _logged(log: Log, topics: set[str]) -> set[tuple]:
    found = set()
    for topic in topics:
        at, ends = log.starts(topic), log.ends(topic)
        while any(at[partition] < end for partition, end in ends.items()):
            read = log.read(topic, at, 10_000)
            found |= {(topic, one.partition, one.producer, one.sequence) for one in read}
            at |= {one.partition: one.offset + 1 for one in read}
            if not read:
                break
    return found


# --- accounts ---------------------------------------------------------------------------------------------------


def _accounts(connection: Connection, settings: Settings) -> Iterator[str]:
    """Every account against a fold of its archive, in one thread, with nothing but the pure code."""
    config = load(settings.scoring, Registry().measures())
    measures = MeasureSet(config)
    ours = rows(connection, settings)
    told = {row[0] for row in connection.execute(select(schema.archive.c.account).distinct())}
    merged = dict(connection.execute(select(schema.merges.c.absorbed, schema.merges.c.survivor)).tuples().all())
    if missing := told - ours.keys() - merged.keys():
        yield f"{len(missing)} accounts have events and no state: {sorted(missing)[:3]}"
    facts = dict(connection.execute(select(schema.profiles.c.account, schema.profiles.c.facts)).tuples().all())
    for account, row in ours.items():
        again = archive.refold(connection, account, measures)
        for name in differing(row, again.row):
            yield f"{account}: {name} is {row[name][0]!r} and its events come to {again.row[name][0]!r}"
        if again.facts and msgspec.json.decode(facts.get(account, "{}")).keys() != again.facts.keys():
            yield f"{account}: its profile says {facts.get(account)} and its events {again.facts}"
        things = schema.entities
        kept = connection.execute(
            select(things.c.kind, things.c.reference, things.c.open_since).where(things.c.account == account)
        )
        opened = {(row.kind, row.reference): row.open_since for row in kept}
        columns = [c.name for c in things.c]
        wanted = [dict(zip(columns, one, strict=False)) for one in entities.rows(again.entities)]
        if opened != {(one["kind"], one["reference"]): one["open_since"] for one in wanted}:
            yield f"{account}: its {len(opened)} things are not the {len(wanted)} of its events"


def rows(connection: Connection, settings: Settings) -> dict[str, Rows]:
    """Account -> its measures, as stored."""
    config = load(settings.scoring, Registry().measures())
    layout = measures_of(config, Scorers(config).names).layout
    accounts = Accounts(layout)
    partitions = connection.scalar(select(func.max(schema.offsets.c.partition))) or 0
    accounts.load(connection, range(partitions + 1))
    measures = MeasureSet(config).layout
    moved = measures.moved(accounts.rows)
    return {account: moved[place : place + 1] for place, account in enumerate(accounts.ids(range(len(moved))))}


def differing(a: Rows, b: Rows) -> list[str]:
    """Names of the measures in which two rows (1,) are not the same, but for rounding."""
    names = [name for name in (a.dtype.names or ())[1:] if name != "padding"]
    return [
        name
        for name in names
        if not np.allclose(a[name].astype(float), b[name].astype(float), rtol=CLOSE, atol=CLOSE, equal_nan=True)
    ]


# --- what came of it --------------------------------------------------------------------------------------------


def _ledger(connection: Connection) -> Iterator[str]:
    """The rows of each account follow one another: what one was is what the one before came to."""
    table = schema.ledger
    last: dict[str, float] = {}
    sequences: dict[int, int] = defaultdict(int)
    for row in connection.execute(select(table).order_by(table.c.partition, table.c.sequence)):
        if row.sequence != sequences[row.partition] + 1:
            yield f"the ledger of partition {row.partition} goes from {sequences[row.partition]} to {row.sequence}"
        sequences[row.partition] = row.sequence
        before = last.get(row.account)
        if (row.was is None) != (before is None) or (before is not None and not math.isclose(row.was, before)):
            yield f"{row.account}: {row.sequence} says it was {row.was}, and it was {before}"
        last[row.account] = row.health
    outlets = connection.execute(
        select(schema.outlets.c.partition, schema.outlets.c.next).where(schema.outlets.c.topic == "health")
    )
    for partition, following in outlets:
        if following != sequences[partition] + 1:
            yield f"partition {partition} gives {following} next, and its ledger ends at {sequences[partition]}"


def _shown(connection: Connection, destinations: Destinations, found: Findings) -> Iterator[str]:
    newest = _ledgers(connection)
    for row in connection.execute(select(schema.desired).where(schema.desired.c.state != "absent")):
        if row.state != "shown" or row.shown != row.fields:
            yield f"{row.sink}: {row.account} is {row.state}: {row.reason}"
        if row.sequence != newest[row.account][-1][0] and not _settled(row, newest[row.account]):
            told = newest[row.account][-1]
            yield f"{row.sink}: {row.account} is wanted as of {row.sequence}, and the ledger is at {told}"
        wanted = msgspec.json.decode(row.fields)
        if row.sink == "webhook-fields":
            shown = destinations.receiver.shown.get(row.account, [])
            end = shown[-1] if shown else None
            places = places_of([_fields(health) for _, health in newest[row.account]], shown)
        else:
            values = destinations.organizations.shown.get(int(row.target.rpartition(":")[2]), [])
            end = values[-1] if values else None
            places = places_of(
                [dict(OrganizationFields.fields(None, health)) for _, health in newest[row.account]], values
            )  # type: ignore[arg-type]
        if -1 in places:
            yield f"{row.sink}: {row.account} showed what its health never was"
        if end != wanted:
            yield f"{row.sink}: {row.account} ends at {end} and should at {wanted}"
        found.late += [f"{row.sink}: {row.account} showed {b} after {a}" for a, b in pairwise(places) if b < a]
    found.figures["shown"] = sum(map(len, destinations.receiver.shown.values())) + sum(
        map(len, destinations.organizations.shown.values())
    )


def _ledgers(connection: Connection) -> dict[str, list[tuple[int, Health]]]:
    table = schema.ledger
    found: dict[str, list[tuple[int, Health]]] = defaultdict(list)
    for account, sequence, message in connection.execute(
        select(table.c.account, table.c.sequence, table.c.message).order_by(table.c.partition, table.c.sequence)
    ):
        found[account].append((sequence, msgspec.json.decode(message, type=Health)))
    return found


def _settled(row, ledger: list[tuple[int, Health]]) -> bool:
    """Whether what was wanted later looks the same there, so that nobody need be told."""
    return row.sink == "webhook-fields" and _fields(ledger[-1][1]) == msgspec.json.decode(row.fields)


def _fields(health: Health) -> dict:
    """What the webhook of a health shows of it."""
    return dict(Webhook.fields(None, health))  # type: ignore[arg-type]


def places_of(ledger: list[dict], shown: list[dict]) -> list[int]:
    """Where in the ledger each value shown is: as little after the one before as can be, before it only if it must.

    -1 for what is not in it.
    """
    places: list[int] = []
    at = 0
    for value in shown:
        order = [*range(at, len(ledger)), *range(at - 1, -1, -1)]
        places.append(next((place for place in order if ledger[place] == value), -1))
        at = places[-1] if places[-1] >= 0 else at
    return places


def _mailed(connection: Connection, destinations: Destinations, found: Findings) -> Iterator[str]:
    came: dict[str, int] = defaultdict(int)
    for mail in destinations.mail.mails:
        came[str(mail.message["Message-ID"])] += 1
    rows_ = connection.execute(select(schema.alerts).where(schema.alerts.c.sink == "email")).all()
    ids = {message_id(row.key, MAIL_DOMAIN): row for row in rows_}
    for identity, many in came.items():
        if identity not in ids:
            yield f"a mail {identity} came that no alert asked for"
        elif many > 1:
            found.mailed_again.append(f"{ids[identity].key} came {many} times")
    for identity, row in ids.items():
        if row.state == "sent" and identity not in came:
            yield f"alert {row.key} is said to be sent and never came"
    found.figures |= {"alerts": len(rows_), "mails": sum(came.values())}


def compare(ours: Database, theirs: Database, settings: Settings, other: Settings) -> list[str]:
    """Account by account, the measures of two installations that were told the same."""
    with ours.read() as a, theirs.read() as b:
        mine, yours = rows(a, settings), rows(b, other)
    wrong = []
    if mine.keys() != yours.keys():
        wrong.append(f"accounts differ: {sorted(mine.keys() ^ yours.keys())[:5]}")
    for account in mine.keys() & yours.keys():
        wrong += [
            f"{account}: {name} is {mine[account][name][0]!r} here and {yours[account][name][0]!r} there"
            for name in differing(mine[account], yours[account])
        ]
    return wrong
