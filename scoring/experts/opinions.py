"""What the experts that everybody has say of customers, and how much of their mix is which measure's. Pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scoring.arrays import Codes, Floats, logit
from scoring.cards import Cards
from scoring.config import Config
from scoring.experts import rhythm, risk
from scoring.experts.calibration import Platt
from scoring.experts.listening import Listening, Table
from scoring.experts.recency import center, sign_of_life
from scoring.experts.scaling import standardized
from scoring.features import feature_names
from scoring.model import (
    BASE_RATE,
    CARD,
    CARD_CALIBRATED,
    ENOUGH,
    EXPERTS,
    PROXY,
    RECENCY,
    RHYTHM,
    Model,
)

_FIRST = EXPERTS.index(risk.REGRESSIONS[0])
_REGRESSIONS = slice(_FIRST, _FIRST + len(risk.REGRESSIONS))


class Said(NamedTuple):
    """Of n customers, in log odds.

    Attributes:
        experts: (n, E) what each expert says, by itself.
        measures: (n, M) the share of each measure in the mix.
        rhythm: (n,) the share of the customer's own rhythm in it.
        halfway: (n,) to be lost within half the horizon.
    """

    experts: Floats
    measures: Floats
    rhythm: Floats
    halfway: Floats


class Opinions:
    """The experts of one version of the models, laid out for measures.

    Args:
        config: what is measured, and what losing a customer means.
        learned: the models.
        cards: the scorecard, which is an expert, too.

    Attributes:
        regressions: by feature.
        constants: (E,) log odds that experts give a customer of whom nothing is known.
        foresees: whether half the horizon has taught enough to be asked.
    """

    def __init__(self, config: Config, learned: Model, cards: Cards) -> None:
        card, names = config.scorecard, feature_names([measure.name for measure in config.measures])
        self._cards = cards
        self.regressions = risk.apply(learned.regressions, names)
        self._calibrations = {PROXY: Platt()} | learned.calibrations
        self._proxy, self.foresees = learned.proxy.laid_out(names), learned.early >= ENOUGH
        silence = sign_of_life(config.measures, card.outcome)
        self._silence = None if silence is None else names.index(silence)
        self._center = center(card.outcome)
        self._rhythm, self._outcome = learned.rhythm, card.outcome
        self._past = rhythm.past(config.measures, card.outcome)
        self.constants = self._constants(learned, logit(card.base_rate))

    def by_feature(self, table: Table) -> Floats:
        """(S, 2M) what a standardized feature moves the mix by, for each row of `table`."""
        return np.array([self.regressions.weights @ one for one in table.weights[:, _REGRESSIONS]])

    def say(self, values: Floats, found: Floats, cards: Codes | None, heard: Listening, by_feature: Floats) -> Said:
        """Ask them all.

        Args:
            values: (n, M) measures, NaN unknown.
            found: (n, 2M) features.
            cards: (n,) codes of the cards that customers are weighed by.
            heard: whom they listen to.
            by_feature: (2M,) or (n, 2M), of `by_feature`.
        """
        half = values.shape[1]
        to = {name: heard.to(place) for place, name in enumerate(EXPERTS)}
        experts = np.tile(self.constants, (len(values), 1))
        written = self._cards.contributions(values, cards)
        calibration = self._calibrations[CARD_CALIBRATED].scale
        parts = written * (to[CARD] + to[CARD_CALIBRATED] * calibration)
        total = written.sum(axis=1)
        experts[:, EXPERTS.index(CARD)] += total
        experts[:, EXPERTS.index(CARD_CALIBRATED)] += total * calibration
        if self._silence is not None:
            known = found[:, half + self._silence] == 0.0
            silence = np.where(known, found[:, self._silence] - self._center, 0.0) * self._calibrations[RECENCY].scale
            parts[:, self._silence] += silence * to[RECENCY][..., 0]
            experts[:, EXPERTS.index(RECENCY)] += silence
        read = self.regressions.standardize(found)
        experts[:, _REGRESSIONS] += read @ self.regressions.weights
        mixed = read * by_feature
        parts += mixed[:, :half] + mixed[:, half:]
        means, scales, weights, level = self._proxy
        early = standardized(found, means, scales) * weights
        scale, halfway = self._calibrations[PROXY].scale, early.sum(axis=1)
        experts[:, EXPERTS.index(PROXY)] += scale * halfway
        parts += to[PROXY] * scale * (early[:, :half] + early[:, half:])
        own = np.zeros(len(values))
        if self._past is not None:
            place = EXPERTS.index(RHYTHM)
            said = self._rhythm.opinions(rhythm.history(values, self._past, self._outcome))
            known = ~np.isnan(said)
            experts[known, place] = said[known]
            own[known] = (to[RHYTHM][..., 0] * (said - self.constants[place]))[known]
        return Said(experts, parts, own, halfway + level)

    def _constants(self, learned: Model, zero: float) -> Floats:
        """(E,); `zero` is the card's own log odds."""
        base = logit(learned.left / learned.seen)
        constants = {
            CARD: zero,
            CARD_CALIBRATED: zero + learned.calibrations[CARD_CALIBRATED].shift,
            RECENCY: zero + learned.calibrations[RECENCY].shift,
            **dict(zip(risk.REGRESSIONS, self.regressions.intercepts.tolist(), strict=True)),
            RHYTHM: base,
            PROXY: zero + self._calibrations[PROXY](self._proxy[-1] - zero),
            BASE_RATE: base,
        }
        return np.array([constants[name] for name in EXPERTS])
