"""The tables. The database is the truth: whatever is not here (or still in the log) is not known.

Times are unix seconds (UTC) as doubles; JSON is text or bytes as msgspec writes it; ids of accounts are ours.
"""

from __future__ import annotations

from hub.store.schema.base import metadata
from hub.store.schema.books import meta, offsets, outgoing, outlets, sequences
from hub.store.schema.customers import (
    accounts,
    configs,
    contacts,
    early_labels,
    entities,
    expansions,
    labels,
    ledger,
    models,
    overrides,
    profiles,
    proposals,
    snapshots,
    valuations,
    worths,
)
from hub.store.schema.deliveries import alerts, dead_letters, desired, destinations, receipts, warned
from hub.store.schema.events import archive, heard, links, merges, seen
from hub.store.schema.processes import backtests, bases, counters, leases, processes

__all__ = [
    "SPEAKS",
    "VERSION",
    "accounts",
    "alerts",
    "archive",
    "backtests",
    "bases",
    "configs",
    "contacts",
    "counters",
    "dead_letters",
    "desired",
    "destinations",
    "early_labels",
    "entities",
    "expansions",
    "heard",
    "labels",
    "leases",
    "ledger",
    "links",
    "merges",
    "meta",
    "metadata",
    "models",
    "offsets",
    "outgoing",
    "outlets",
    "overrides",
    "processes",
    "profiles",
    "proposals",
    "receipts",
    "seen",
    "sequences",
    "snapshots",
    "valuations",
    "warned",
    "worths",
]

VERSION = 11  # also the number of the newest step in `hub.store.migrations`
SPEAKS = 2  # the oldest program that may still work on what this one writes; why not 1: `hub.store.versions`
