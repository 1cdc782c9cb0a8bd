"""The judgement: measures in, health, band, risk and exact drivers out. Pure, a batch of accounts at a time.

Every expert is a sum over measures in log odds (or, like the customer's own rhythm, a part with a name of its own), and
so is their mix; health is a monotone function of it. The points of a measure are its share of the log odds, in
proportion, of the distance between health and its base: the health of a customer of whom nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hub import Driver
from scoring.arrays import Codes, Floats, Singles, expit, logit
from scoring.bands import bands, borders, health, slope
from scoring.cards import Cards
from scoring.config import Config, Measure
from scoring.drivers import (
    BEYOND,
    CAP,
    FLOOR,
    GUEST,
    LEAST_SAID,
    OTHERS,
    OTHERS_OF_SEGMENTS,
    OWN_RHYTHM,
    SEGMENT,
    strongest,
    words,
)
from scoring.experts.guests import Panel
from scoring.experts.listening import Table
from scoring.experts.opinions import Opinions
from scoring.experts.voices import listen, voices
from scoring.families.segments import DEFAULT
from scoring.features import features
from scoring.growth import Grower, Outlook
from scoring.lessons import MIX
from scoring.model import (
    EXPERTS,
    HALFWAY,
    Model,
    fresh,
    missing,
    segments,
)
from scoring.norms import said as stands

_SAME: Final = 1e-6  # log odds; nearer than this the distance is a tangent's


@dataclass(frozen=True, slots=True)
class Scores:
    """What was found about n accounts.

    Attributes:
        health: (n,) 0 to 100.
        computed: (n,) what it would be had nobody set it by hand.
        moved: (n,) points since the health before; NaN where there was none.
        band: (n,) codes, places in `scoring.bands.BANDS`.
        risk: (n,) probability of losing the customer within the horizon.
        logit: (n,) its log odds.
        base: health of a customer of whom nothing is known.
        points: (n, C); `base + points.sum(axis=1)` is health, within 1e-9.
        names: C names of columns of `points`: the measures, experts of plugins, then `scoring.drivers.OTHERS`, or
            `OTHERS_OF_SEGMENTS` where there are segments.
        dimensions: C dimensions; empty for what is no measure's.
        features: (n, F), finite: what the models are taught with if a snapshot is taken now.
        predictions: (n,) probabilities by expert, and of the `mix`; NaN of whom an expert says nothing.
    """

    health: Floats
    computed: Floats
    moved: Floats
    band: Codes
    risk: Floats
    logit: Floats
    base: float
    points: Floats
    names: tuple[str, ...]
    dimensions: tuple[str, ...]
    features: Singles
    predictions: Mapping[str, Floats]


class Scorer:
    """One configuration and one version of the models, laid out for scoring.

    Args:
        config: measures and scorecard.
        model: what was learned so far; None before any.
        panel: experts of plugins.

    Raises:
        ConfigError: the scorecard does not fit the measures.
    """

    def __init__(self, config: Config, model: Model | None, panel: Panel | None = None) -> None:
        learned = fresh(config) if model is None else model
        card = config.scorecard
        self.version = learned.version
        measured = tuple(m.name for m in config.measures)
        self._segmented = bool(card.cards)
        guests = [] if panel is None else [GUEST + name for name in panel.names]
        others = (*guests, *(OTHERS_OF_SEGMENTS if self._segmented else OTHERS))
        self.names = (*measured, *others)
        self.dimensions = (*(m.dimension for m in config.measures), *[""] * len(others))
        self._parts: tuple[Measure | str, ...] = (*config.measures, *others)
        self._ruled = [(name, self.names.index(name)) for name in (CAP, FLOOR)]
        self._measures = config.measures
        self._cards = Cards(config.measures, card, learned.norms)
        self._borders, self._hysteresis = borders(card), card.hysteresis
        self._opinions = Opinions(config, learned, self._cards)
        self._limits = learned.limits(card)
        self._voices = voices(config, learned, self._opinions.regressions, panel, self.names)
        self._grower = None
        if card.expansion is not None:
            known = learned.growth
            lacking = missing(known.labels, known.grown) if known else missing(0, 0)
            self._grower = Grower(config, known, lacking.labels)
        self._zero = logit(learned.base_rate(card))
        beside, constants = [voice.name for voice in self._voices], self._opinions.constants
        whole = Table([learned.weights], [0.0], EXPERTS, beside, constants)
        self._constant = float(whole.constants[0])
        self._table = whole
        if self._segmented:
            named = [*segments(card), ""]
            weights, levels = map(learned.weights_in, named), [learned.level_in(name) for name in named]
            self._table = Table([*weights], levels, EXPERTS, beside, constants)
        self._by_feature = self._opinions.by_feature(self._table)
        self.base = float(health(np.array(self._constant - self._zero)))
        self._slope = slope(self.base)

    def score(
        self,
        values: Floats,
        was_health: Floats,
        was_band: Codes,
        by_hand: Floats | None = None,
        cards: Codes | None = None,
    ) -> Scores:
        """Judge n accounts.

        Args:
            values: (n, M) measures, NaN unknown.
            was_health: (n,) health before, NaN where there was none.
            was_band: (n,) codes before, -1 where there was none.
            by_hand: (n,) health that a person set, NaN where nobody did.
            cards: (n,) codes of the cards they are weighed by; all by the scorecard itself where not given.
        """
        found = features(values)
        read = found.astype(np.float64)
        heard = self._table.of(cards)
        said = self._opinions.say(values, read, cards, heard, heard.rows(self._by_feature))
        beyond = self.names.index(BEYOND)
        parts = np.zeros((len(values), beyond + 1))
        parts[:, : values.shape[1]], parts[:, self.names.index(OWN_RHYTHM)] = said.measures, said.rhythm
        believed = np.clip(said.experts, *self._limits)
        blended = heard.mix(believed)
        mixed, more = listen(self._voices, values, read, heard, mixed=blended, parts=parts, limits=self._limits)
        if self._segmented:
            mixed = mixed + heard.level
            parts[:, self.names.index(SEGMENT)] = heard.constant + heard.level - self._constant
        above = mixed - self._constant
        parts[:, beyond] = above - parts[:, :beyond].sum(axis=1)
        weighed = health(mixed - self._zero)
        far = np.abs(above) > _SAME
        ratio = np.where(far, (weighed - self.base) / np.where(far, above, 1.0), self._slope)
        points = np.empty((len(values), len(self.names)))
        points[:, : parts.shape[1]] = parts * ratio[:, None]
        floor, cap = self._cards.limits(values, weighed, cards)
        computed = weighed + floor + cap
        healths = computed if by_hand is None else np.where(np.isnan(by_hand), computed, by_hand)
        points[:, parts.shape[1] :] = np.stack([floor, cap, healths - computed], axis=1)
        chances = expit(believed)
        chance = expit(mixed)
        return Scores(
            health=healths,
            computed=computed,
            moved=healths - was_health,
            band=bands(healths, was_band, self._borders, self._hysteresis),
            risk=chance,
            logit=mixed,
            base=self.base,
            points=points,
            names=self.names,
            dimensions=self.dimensions,
            features=found,
            predictions={
                **{name: chances[:, place] for place, name in enumerate(EXPERTS)},
                **more,
                **(self._grower.predict(values, self._opinions.regressions.standardize(read)) if self._grower else {}),
                **({HALFWAY: expit(said.halfway)} if self._opinions.foresees else {}),
                MIX: chance,
            },
        )

    def outlook(self, values: Floats, k: int) -> Outlook | None:
        """How likely one account (1, M) pays more, and the `k` strongest reasons; None where that is not asked."""
        if self._grower is None:
            return None
        read = self._opinions.regressions.standardize(features(values).astype(np.float64))
        return self._grower.outlook(values, read, k)

    def say(
        self, values: Sequence[float], points: Sequence[float], k: int, said: dict[int, str], card: int = DEFAULT
    ) -> tuple[list[Driver], float]:
        """The `k` strongest drivers of one account in words, and the points of the rest.

        Args:
            values: (M,) its row of the values that were scored.
            points: (C,) its row of `Scores.points`.
            k: how many to name at most.
            said: words for these values, by place; empty at first.
            card: code of the one it is weighed by.
        """
        for place, among in self._cards.peers(card).items():
            if place not in said and abs(points[place]) >= LEAST_SAID:
                said[place] = words(self._measures[place], values[place]) + stands(among, values[place])
        if self._segmented and (mine := self._cards.names[card]):
            said.setdefault(self.names.index(SEGMENT), f"what is usual in segment {mine}")
        for name, place in self._ruled:
            if points[place] and place not in said and (text := self._cards.words(values, card).get(name)):
                said[place] = text
        return strongest(self._parts, values, points, k, said)

    def held(self, values: Sequence[float], card: int = DEFAULT) -> Mapping[str, str]:
        """Which floor and which cap hold one account, in words by the name of the part.

        Args:
            values: (M,) its row of the values that were scored.
            card: code of the one it is weighed by.
        """
        return self._cards.words(values, card)

    def weights(self, card: int = DEFAULT) -> Floats:
        """(M,) the share of each measure in a card; they sum to 1."""
        return self._cards.weights(card)

    def card(self, code: int) -> str:
        """What the card of a code is called; empty: it is the scorecard itself."""
        return self._cards.names[code]

    def segment(self, code: int) -> str | None:
        """Of which segment a customer of this card is; None where there are none, empty for whoever no card fits."""
        return self.card(code) if self._segmented else None
