"""Which events a delivery goes back to: its health's, as the ledger has them. Asked only where traces are on."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, select

from hub.ingest.dedupe import digest_of
from hub.sdk.actions import Action
from hub.sdk.contracts import Sink
from hub.store.database import Database
from hub.store.schema import accounts, ledger
from hub.tracing.spans import Delivered, Traces
from sinks.outcomes import Settled


class _Causes(msgspec.Struct):
    causes: list[str] = msgspec.field(default_factory=list)


_health = msgspec.json.Decoder(_Causes)
_action = msgspec.json.Decoder(Action)


def tell(traces: Traces, database: Database, sink: Sink, settled: Sequence[Settled], took: float) -> None:
    """A span for each event behind each of these. Reads the database: not for an event loop's thread.

    Args:
        traces: where to.
        database: has the ledger.
        sink: the destination.
        settled: what became of each record of a call that has just ended.
        took: seconds of the call.
    """
    ended = time.time_ns()
    began = ended - int(took * 1e9)
    with database.read() as connection:
        for one in settled:
            causes = (
                _of_fields(connection, one) if sink.shape == "fields" else _action.decode(one.item.body).health.causes
            )
            # an event's id begins with its connection, see hub.sdk.events
            digests = [digest_of(event.partition(":")[0], event) for event in causes]
            traces.delivered(digests, Delivered(sink.name, one.item.delivery.account, one.word), began, ended)


def _of_fields(connection: Connection, one: Settled) -> list[str]:
    account, _, sequence = one.item.delivery.key.rpartition(":")
    account = account.partition(":")[2]
    message = connection.scalar(
        select(ledger.c.message)
        .join(accounts, accounts.c.partition == ledger.c.partition)
        .where(accounts.c.id == account, ledger.c.sequence == int(sequence))
    )
    return _health.decode(message).causes if message else []
