"""Quix Streams: `apply(..., stateful=True)`, exactly once, with changelog topics.

An account's row and the ids it has seen lie in its own state (RocksDB, and a changelog topic), which is how a stateful
function of Quix can dedupe. Rows of archive, state and ledger gather in a sink until a checkpoint (5 s, as it comes),
which writes them in one transaction. Otherwise than listed: state, offsets and health are one Kafka transaction, the
database is another before it (it may be told twice, and then changes nothing).
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from quixstreams import Application
from quixstreams.sinks.base.sink import BaseSink

from bench.peers.job import Job, Stopwatch, folder, job
from bench.peers.scoring import Scoring, decoded, shown
from bench.peers.store import Bulk, Row, Rows, archived, connect, told

_ROW = "row"


class _Scored(NamedTuple):
    account: str
    archive: Row
    state: tuple[bytes, float, float, str]
    ledger: list[Row]


class _Sink(BaseSink):  # type: ignore[misc]
    """Everything since the last checkpoint, in one transaction."""

    def __init__(self, store: Bulk) -> None:
        super().__init__()
        self._store = store
        self._scored: list[tuple[int, _Scored]] = []

    def add(self, value: _Scored, *, partition: int, **_: Any) -> None:
        self._scored.append((partition, value))

    def flush(self) -> None:
        if not self._scored:
            return
        newest = {one.account: (one.account, partition, *one.state) for partition, one in self._scored}
        with self._store.transaction():
            self._store.archive([one.archive for _, one in self._scored])
            self._store.write(Rows(list(newest.values()), [row for _, one in self._scored for row in one.ledger]))
        self._scored.clear()


def main(job: Job) -> None:
    logging.disable(logging.WARNING)
    watch, scoring = Stopwatch(job.records), Scoring()
    size = scoring.layout.dtype.itemsize
    app = Application(
        broker_address=job.broker,
        consumer_group=job.group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        state_dir=Path(folder(job, "quix")),
        loglevel="ERROR",
    )
    events = app.topic(job.events, key_deserializer="str", value_deserializer="bytes")
    health = app.topic(job.health, key_serializer="str", value_serializer="bytes")

    def one(value: bytes, key: str, timestamp: int, headers: Any, state: Any) -> _Scored | None:  # noqa: ARG001
        watch.start()
        if watch.done(1):
            app.stop()
        event = decoded([value])[0]
        row = archived(key, event, 0, 0, value)
        digest = row[0].hex()
        if state.exists(digest):
            return None
        state.set_bytes(digest, b"")
        kept = state.get_bytes(_ROW)
        draft = scoring.draft(key, kept[:size] if kept else None)
        healths = scoring.step(draft, [event], [key])
        first = int.from_bytes(kept[size:], "big") + 1 if kept else 1
        ledger = [told(number, h, msgspec.json.encode(h)) for number, h in enumerate(healths, first)]
        stored = draft.rows.tobytes()
        state.set_bytes(_ROW, stored + (first - 1 + len(ledger)).to_bytes(8, "big"))
        return _Scored(key, row, (stored, *shown(draft.rows)[0]), ledger)

    scored = app.dataframe(events).apply(one, stateful=True, metadata=True).filter(lambda found: found is not None)
    scored.apply(lambda found: [row[-1] for row in found.ledger], expand=True).to_topic(health)
    scored.sink(_Sink(Bulk(connect(job.database))))
    app.run()
    watch.finish()


if __name__ == "__main__":
    main(job())
