"""`peers`: the same events through other engines, ours, and a bare loop; on one Kafka and one PostgreSQL, in one run.

Measured: from an engine's first record to its last commit, start-up excluded, each engine in a process of its own with
a fresh database, reading the same backlog: events of 250 bytes, few customers most of them, 2 % of them twice. Servers
are the bench's own and durable (fsync, synchronous commit). The listed work is the same pure code for all: dedupe by
id into an archive, fold into measures, score, say why, store the row, write a row of the ledger when health moved,
publish that, remember the position. Each file of an engine says what it does otherwise. Where it ends is checked
against the distinct events folded at once. Rates are by the clock, and by processor seconds of the engine's process
alone: broker and database share the cores. Slow engines get fewer events. Medians of rounds, in which all take turns; a
ratio is of two of one round.
`pulsehub` does more than is listed: it keeps what things a customer has, its people and profile, and who is whose, as
`bare.room` does: the very same room, driven by hand. `pulsehub.one` and `.two` are for each other (`bench.peers.ours`).

Left out: the door, loading what a database holds when a worker starts, rebalances, crashes (`tests/faults`).
"""

from __future__ import annotations

from bench.result import Result

EVENTS = 60_000
ACCOUNTS = 10_000
ROUNDS = 3


def run(events: int = EVENTS, accounts: int = ACCOUNTS, rounds: int = ROUNDS) -> list[Result]:
    from bench.peers.table import measure  # noqa: PLC0415 - an engine's process imports this package, too

    return measure(events, accounts, rounds)
