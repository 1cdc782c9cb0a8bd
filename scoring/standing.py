"""How an account stands: its stored row, read and judged again as it was when it was scored last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, select

from hub import Band
from hub.store import schema
from scoring.arrays import Codes, Floats
from scoring.bands import BANDS, NO_BAND
from scoring.measures import MeasureSet
from scoring.restating import current
from scoring.rows import Rows
from scoring.scorer import Scorer, Scores
from scoring.scorers import Scorers


@dataclass(frozen=True, slots=True)
class Standing:
    """One account at one moment.

    Attributes:
        account: ours.
        row: (1,) of its measures, a copy.
        at: unix seconds of the moment it holds for.
        values: (1, M) what the measures read then.
        scorer: of the models it was scored with.
        scores: of `values`.
        by_hand: (1,) the health that a person set, NaN where nobody did.
        card: code of the one it is weighed by.
    """

    account: str
    row: Rows
    at: float
    values: Floats
    scorer: Scorer
    scores: Scores
    by_hand: Floats
    card: int

    @property
    def band(self) -> Band | None:
        """With hysteresis; None before the first scoring."""
        code = int(self.row["band"][0])
        return None if code == NO_BAND else BANDS[code]

    @property
    def unscored(self) -> bool:
        """Whether nothing was ever said of it."""
        return bool(np.isnan(self.row["published"][0]))

    def judged(self, values: Floats, scorer: Scorer | None = None, by_hand: Floats | None = None) -> Scores:
        """What other values (n, M) come to for this account, perhaps by another scorer or another word (1,) by hand."""
        return _judged(scorer or self.scorer, values, self.row, self.by_hand if by_hand is None else by_hand, self.card)


def stand(connection: Connection, account: str, measures: MeasureSet, scorers: Scorers) -> Standing | None:
    """How an account stands; None if there is none of this id.

    Args:
        connection: to the database.
        account: ours, of an account that was not merged away.
        measures: in rows that also keep what scoring needs.
        scorers: of the same configuration.
    """
    row = current(connection, account, measures)
    if row is None:
        return None
    scorer = scorers.at(connection, int(row["model"][0])) or scorers.plain
    asked = select(schema.accounts.c.scored_at).where(schema.accounts.c.id == account)
    at = float(row["scored_at"][0]) or float(connection.scalar(asked) or 0.0) or float(row["newest"][0])
    values = measures.read(row, at)
    by_hand, card = measures.set_by_hand(row, at), int(measures.cards(row)[0])
    return Standing(account, row, at, values, scorer, _judged(scorer, values, row, by_hand, card), by_hand, card)


def _judged(scorer: Scorer, values: Floats, row: Rows, by_hand: Floats, card: int) -> Scores:
    was: Floats = np.repeat(row["published"], len(values))
    band: Codes = np.repeat(row["band"], len(values))
    cards: Codes = np.full(len(values), card, np.int8)
    return scorer.score(values, was, band, np.repeat(by_hand, len(values)), cards)
