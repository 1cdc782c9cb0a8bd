"""What must hold after any number of kills, against a single-threaded replay of what is in the log."""

from collections import Counter, defaultdict
from pathlib import Path

import msgspec
from sqlalchemy import create_engine, text

from hub.streams.sqlite.logfile import LogReader
from tests.kills.toy import POISON


def wrong(folder: Path) -> list[str]:
    """What is not as it should be; empty when all is."""
    log = LogReader(folder / "streams.db")
    engine = create_engine(f"sqlite:///{folder}/hub.db")
    try:
        with engine.connect() as connection:
            return [*_wrong(log, connection, folder), *(f"the log: {said}" for said in log.check())]
    finally:
        log.close()
        engine.dispose()


def _wrong(log: LogReader, connection, folder: Path):
    expected, ids, poisonous = replay(log)
    acknowledged = set((folder / "acknowledged").read_text().split())
    if lost := acknowledged - ids:
        yield f"{len(lost)} acknowledged events are not in the log"
    for table in ("counts", "follows"):
        found = dict(connection.execute(text(f"select key, n from {table}")).tuples().all())
        if found != expected:
            yield f"{table} differ from the replay: {sum(found.values())} against {sum(expected.values())}"
    yield from _books(log, connection, "kills.count", "events", poisonous)
    yield from _books(log, connection, "kills.follow", "health", 0)
    yield from _messages(log, connection, expected, poisonous)
    if left := connection.scalar(text("select count(*) from outgoing")):
        yield f"{left} messages were left in the outbox"


def _books(log: LogReader, connection, room: str, topic: str, poisonous: int):
    rows = connection.execute(
        text("select partition, next, applied, duplicates, dead_lettered from offsets where room = :r"),
        {"r": room},
    ).all()
    ends = log.ends(topic)
    if {row.partition: row.next for row in rows} != ends:
        yield f"{room} stands at {rows} of {ends}"
    if sum(row.applied + row.duplicates + row.dead_lettered for row in rows) != sum(ends.values()):
        yield f"the books of {room} do not balance: {rows} of {ends}"
    if sum(row.dead_lettered for row in rows) != poisonous:
        yield f"{room} should have dead-lettered {poisonous}: {rows}"


def _messages(log: LogReader, connection, expected: dict[str, int], poisonous: int):
    history: dict[str, list[int]] = defaultdict(list)
    for value in published(log, "health"):
        message = msgspec.json.decode(value)
        history[message["key"]].append(message["n"])
    if {key: list(range(1, n + 1)) for key, n in expected.items()} != history:
        yield "the messages are not the complete history"
    ticks = connection.scalar(text("select max(n) from ticks")) or 0
    if published(log, "actions") != [b"%d" % n for n in range(1, ticks + 1)]:
        yield f"not every one of {ticks} ticks was published once"
    letters = {msgspec.json.decode(value)["id"] for value in published(log, "dead-letters")}
    if len(letters) != poisonous:
        yield f"{poisonous} records are poisonous, and {len(letters)} letters were sent"


def replay(log: LogReader) -> tuple[dict[str, int], set[str], int]:
    """Counts by key over distinct ids, the ids, and how many records are poisonous."""
    counts: Counter[str] = Counter()
    ids: set[str] = set()
    poisonous = 0
    for record in everything(log, "events"):
        if record.value == POISON:
            poisonous += 1
            continue
        event = msgspec.json.decode(record.value)
        if event["id"] not in ids:
            ids.add(event["id"])
            counts[event["key"]] += 1
    return dict(counts), ids, poisonous


def published(log: LogReader, topic: str) -> list[bytes]:
    """Messages in the order a reader takes them, each sequence once; none may be missing."""
    last: dict[tuple[str, int], int] = defaultdict(int)
    found = []
    for record in everything(log, topic):
        place = (record.producer, record.partition)
        if record.sequence > last[place]:
            assert record.sequence == last[place] + 1, f"{topic} {place} went from {last[place]} to {record.sequence}"
            last[place] = record.sequence
            found.append(record.value)
    return found


def everything(log: LogReader, topic: str):
    for partition, end in log.ends(topic).items():
        yield from log.read(topic, {partition: 0}, end or 1)
