"""What the demo proved, counted where it can be seen: the hub's database, the vendors' own records, the inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import func, select

from hub.store import schema
from scoring.lessons import MIX
from scoring.model import CARD
from scoring.proof.quality import quality

if TYPE_CHECKING:
    from hub.demo.inbox import Inbox
    from hub.demo.vendors import Vendors
    from hub.worker.hub import Hub


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one demo.

    Attributes:
        received, applied, duplicates, dead_lettered, pending: the books.
        balanced: whether they add up.
        accounts: customers with a health.
        rescored: times a health moved.
        labels: outcomes that matured and taught.
        model_version: the newest.
        judged: how many of the labels were predicted since the models are listened to; `auc` is of those, else of all.
        auc: of what was shown, predicted a horizon before, among customers of the same week; None while it cannot be
            said.
        scorecard_auc: of the scorecard alone, on the same labels.
        fields: vendor -> its own records that show a health now.
        emails: received in the inbox, about customers at risk.
    """

    received: int
    applied: int
    duplicates: int
    dead_lettered: int
    pending: int
    balanced: bool
    accounts: int
    rescored: int
    labels: int
    model_version: int
    judged: int
    auc: float | None
    scorecard_auc: float | None
    fields: dict[str, int]
    emails: int

    def missing(self) -> list[str]:
        """What should have happened and did not."""
        wanted = {
            "the books do not balance": self.balanced,
            f"{self.dead_lettered} records became dead letters": not self.dead_lettered,
            "no customer has a health": self.accounts > 0,
            "no outcome taught the models": self.labels > 0 and self.model_version > 0,
            "nobody was mailed about a customer at risk": self.emails > 0,
        }
        wanted |= {f"{vendor} shows no health": number > 0 for vendor, number in self.fields.items()}
        return [words for words, holds in wanted.items() if not holds]


def proof(hub: Hub, vendors: Vendors, inbox: Inbox) -> Proof:
    """Count."""
    books = hub.engine.books()
    with hub.engine.database.read() as connection:
        accounts = connection.scalar(
            select(func.count()).select_from(schema.accounts).where(schema.accounts.c.health.is_not(None))
        )
        rescored = connection.scalar(select(func.count()).select_from(schema.ledger))
        learned = quality(connection)
    mix, card = learned.fair.get(MIX), learned.fair.get(CARD)
    return Proof(
        received=books.received,
        applied=books.applied,
        duplicates=books.duplicates,
        dead_lettered=books.dead_lettered,
        pending=books.pending,
        balanced=books.balanced,
        accounts=accounts or 0,
        rescored=rescored or 0,
        labels=learned.labels,
        model_version=learned.model_version,
        judged=mix.labels if mix and learned.heard else 0,
        auc=mix.weekly if mix else None,
        scorecard_auc=card.weekly if card else None,
        fields=vendors.showing(),
        emails=len(inbox.mails),
    )
