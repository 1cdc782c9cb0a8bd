"""Bytewax: `stateful_map` by account, or `stateful_batch`; recovery on, snapshots every 10 s as it comes.

A batch from Kafka is deduped and archived in a transaction; the database remembers where each event was first met, so
what is read again after a crash is known for what it is. The state is Bytewax's own (SQLite, at the end of an epoch);
rows and ledger are written as batches come out of it. Otherwise than listed: after a crash everything since the last
epoch is done again: rows are put right, ledger rows are there already, health is published twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import bytewax.operators as op
import msgspec
from bytewax._bytewax import cli_main, init_db_dir
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig

from bench.peers.job import Job, Stopwatch, folder, job
from bench.peers.scoring import Scoring, decoded, shown
from bench.peers.store import Bulk, Row, Rows, archived, connect, told
from hub import Event

_BATCH = 1_000  # its default


class _New(NamedTuple):
    partition: int
    event: Event


class _Kept(NamedTuple):
    """What Bytewax keeps of an account: its row, and how many rows of the ledger it has."""

    row: bytes
    number: int


class _Scored(NamedTuple):
    state: Row
    ledger: list[Row]


class _Work:
    """The listed work of one account."""

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring

    def step(self, kept: _Kept | None, new: list[_New], account: str) -> tuple[_Kept, _Scored]:
        draft = self._scoring.draft(account, kept.row if kept else None)
        healths = self._scoring.step(draft, [one.event for one in new], [account] * len(new))
        first = kept.number + 1 if kept else 1
        ledger = [told(number, h, msgspec.json.encode(h)) for number, h in enumerate(healths, first)]
        row = draft.rows.tobytes()
        state = (account, new[0].partition, row, *shown(draft.rows)[0])
        return _Kept(row, first - 1 + len(ledger)), _Scored(state, ledger)


class _Logic(StatefulBatchLogic):  # type: ignore[misc]
    def __init__(self, work: _Work, kept: _Kept | None) -> None:
        self._work, self._kept = work, kept

    def on_batch(self, values: list[tuple[str, _New]]) -> tuple[Iterable[_Scored], bool]:
        self._kept, scored = self._work.step(self._kept, [new for _, new in values], values[0][0])
        return [scored], StatefulBatchLogic.RETAIN

    def snapshot(self) -> _Kept | None:
        return self._kept


class _Rows(DynamicSink, StatelessSinkPartition):  # type: ignore[misc]
    """State and ledger, a transaction for each batch that comes out."""

    def __init__(self, url: str) -> None:
        self._url = url

    def build(self, *_: Any) -> _Rows:
        self._store = Bulk(connect(self._url))
        return self

    def write_batch(self, items: list[_Scored]) -> None:
        newest = {one.state[0]: one.state for one in items}
        with self._store.transaction():
            self._store.write(Rows(list(newest.values()), [row for one in items for row in one.ledger]))


def main(job: Job) -> None:
    watch, work, archive = Stopwatch(job.records), _Work(Scoring()), Bulk(connect(job.database), returns=True)

    def taken(messages: list[Any]) -> list[tuple[str, tuple[str, _New]]]:
        watch.start()
        events, accounts = decoded([one.value for one in messages]), [one.key.decode() for one in messages]
        rows = [
            archived(account, event, one.partition, one.offset, one.value)
            for account, event, one in zip(accounts, events, messages, strict=True)
        ]
        with archive.transaction():
            fresh = archive.archive(rows)
        return [
            (account, (account, _New(one.partition, event)))
            for account, event, one, new in zip(accounts, events, messages, fresh, strict=True)
            if new
        ]

    def by_map(kept: _Kept | None, value: tuple[str, _New]) -> tuple[_Kept, _Scored]:
        return work.step(kept, [value[1]], value[0])

    flow = Dataflow("peers")
    brokers = [job.broker]
    records = op.input("records", flow, KafkaSource(brokers, [job.events], tail=False, batch_size=_BATCH))
    keyed = op.flat_map_batch("archive", records, taken)
    if job.mode == "map":
        scored = op.key_rm("bare", op.stateful_map("score", keyed, by_map))
    else:
        scored = op.key_rm("bare", op.stateful_batch("score", keyed, lambda kept: _Logic(work, kept)))
    said = op.flat_map("said", scored, lambda one: [KafkaSinkMessage(row[0].encode(), row[-1]) for row in one.ledger])
    op.output("health", said, KafkaSink(brokers, job.health, add_config={"enable.idempotence": "true"}))
    op.output("rows", scored, _Rows(job.database))
    path = folder(job, "bytewax")
    init_db_dir(path, 1)
    cli_main(flow, recovery_config=RecoveryConfig(path))
    watch.finish()


if __name__ == "__main__":
    main(job())
