"""The listed work, done to a batch of records in one transaction of whoever calls: dedupe, archive, state, ledger.

For engines that hold a worker's accounts in their own process. Rows are put back in memory once they are on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple

import msgspec
import numpy as np

from bench.peers.scoring import Scoring, decoded, shown
from bench.peers.store import Row, Rows, Store, archived, told
from scoring.accounts import Accounts, Draft


class Given(NamedTuple):
    """A record."""

    partition: int
    offset: int
    key: bytes
    value: bytes


class Message(NamedTuple):
    """Health that moved, to be published."""

    partition: int
    key: bytes
    value: bytes


class Listed:
    """What a worker holds, and what a batch does to it."""

    def __init__(self) -> None:
        self._scoring = Scoring()
        self._accounts = Accounts(self._scoring.layout)
        self._numbers: dict[str, int] = {}

    def apply(self, store: Store, given: Sequence[Given]) -> list[Message]:
        """One transaction; what to publish once it is on disk, which it is when this returns."""
        events, accounts = decoded([one.value for one in given]), [one.key.decode() for one in given]
        rows = [
            archived(account, event, one.partition, one.offset, one.value)
            for account, event, one in zip(accounts, events, given, strict=True)
        ]
        with store.transaction():
            new = store.archive(rows)
            fresh = list(compress(accounts, new))
            draft = self._accounts.draft(fresh, [one.partition for one in compress(given, new)])
            healths = self._scoring.step(draft, list(compress(events, new)), fresh) if fresh else []
            values = [msgspec.json.encode(health) for health in healths]
            ledger = [told(self._number(h.account), h, value) for h, value in zip(healths, values, strict=True)]
            progress = {one.partition: (one.partition, one.offset + 1) for one in given}
            store.write(Rows(self._rows(draft), ledger, list(progress.values())))
        self._accounts.put(draft, np.arange(len(draft.ids)))
        where = dict(zip(draft.ids, draft.partitions.tolist(), strict=True))
        return [Message(where[h.account], h.account.encode(), value) for h, value in zip(healths, values, strict=True)]

    def _rows(self, draft: Draft) -> list[Row]:
        size, states = draft.rows.dtype.itemsize, draft.rows.tobytes()
        return [
            (account, partition, states[place * size : (place + 1) * size], *visible)
            for place, (account, partition, visible) in enumerate(
                zip(draft.ids, draft.partitions.tolist(), shown(draft.rows), strict=True)
            )
        ]

    def _number(self, account: str) -> int:
        number = self._numbers[account] = self._numbers.get(account, 0) + 1
        return number
