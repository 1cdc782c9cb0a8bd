"""The judgement: measures in, health, band, risk and exact drivers out. Pure, a batch of accounts at a time.

Every expert is a sum over measures in log odds (or, like the customer's own rhythm, a part with a name of its own), and
so is their mix; health is a monotone function of it. The points of a measure are its share of the log odds, in
proportion, of the distance between health and its base: the health of a customer of whom nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from hub import Driver
from scoring import hazard, rhythm, risk
from scoring.arrays import Codes, Floats, Singles, expit, logit
from scoring.bands import bands, borders, health, slope
from scoring.calibration import Platt
from scoring.cards import Cards
from scoring.clock import DAY
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
from scoring.families.segments import DEFAULT
from scoring.features import feature_names, features
from scoring.growth import Grower, Outlook
from scoring.guests import Panel, Seat
from scoring.lessons import MIX
from scoring.listening import Listening, Table
from scoring.mixture import LIMIT
from scoring.model import (
    BASE_RATE,
    CARD,
    CARD_CALIBRATED,
    ENOUGH,
    EXPERTS,
    HALFWAY,
    HAZARD,
    PROXY,
    RECENCY,
    RHYTHM,
    Model,
    fresh,
    missing,
    segments,
)
from scoring.norms import said as stands
from scoring.proxy import Proxy
from scoring.recency import center, sign_of_life
from scoring.scaling import standardized

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


@dataclass(frozen=True, slots=True)
class Voice:
    """An expert that not everybody has, and that may be silent on a customer.

    Attributes:
        name: of the expert.
        part: the column of `Scores.points` that its share is.
        say: (n, M) measures and (n, 2M) features to (n,) log odds, NaN where it is silent; and (n, M) what of them is
            other measures', or None.
    """

    name: str
    part: int
    say: Callable[[Floats, Floats], tuple[Floats, Floats | None]]


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
        names = feature_names(measured)
        self._regressions = risk.apply(learned.regressions, names)
        self._calibrations = {PROXY: Platt()} | learned.calibrations
        self._proxy, self._foresees = _laid_out(learned.proxy, names), learned.early >= ENOUGH
        self._limits = learned.limits(card)
        silence = sign_of_life(config.measures, card.outcome)
        self._silence = None if silence is None else names.index(silence)
        self._center = center(card.outcome)
        self._rhythm, self._outcome = learned.rhythm, card.outcome
        self._past = rhythm.past(config.measures, card.outcome)
        self._voices = [*self._others(learned, config), *self._guests(learned, names, panel)]
        self._grower = None
        if card.expansion is not None:
            known = learned.growth
            lacking = missing(known.labels, known.grown) if known else missing(0, 0)
            self._grower = Grower(config, known, lacking.labels)
        self._zero = logit(learned.base_rate(card))
        self._constants = self._expert_constants(learned, logit(card.base_rate))
        beside = [voice.name for voice in self._voices]
        whole = Table([learned.weights], [0.0], EXPERTS, beside, self._constants)
        self._constant = float(whole.constants[0])
        self._table = whole
        if self._segmented:
            named = [*segments(card), ""]
            weights, levels = map(learned.weights_in, named), [learned.level_in(name) for name in named]
            self._table = Table([*weights], levels, EXPERTS, beside, self._constants)
        first = EXPERTS.index(risk.REGRESSIONS[0])
        theirs = self._table.weights[:, first : first + len(risk.REGRESSIONS)]
        self._read = np.array([self._regressions.weights @ one for one in theirs])
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
        parts, experts, halfway = self._judge(values, read, cards, heard)
        believed = np.clip(experts, *self._limits)
        mixed, more = self._listen(values, read, parts, heard, heard.mix(believed))
        if self._segmented:
            mixed = mixed + heard.level
            parts[:, self.names.index(SEGMENT)] = heard.constant + heard.level - self._constant
        above = mixed - self._constant
        beyond = self.names.index(BEYOND)
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
                **(self._grower.predict(values, self._regressions.standardize(read)) if self._grower else {}),
                **({HALFWAY: expit(halfway)} if self._foresees else {}),
                MIX: chance,
            },
        )

    def outlook(self, values: Floats, k: int) -> Outlook | None:
        """How likely one account (1, M) pays more, and the `k` strongest reasons; None where that is not asked."""
        if self._grower is None:
            return None
        read = self._regressions.standardize(features(values).astype(np.float64))
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

    def _judge(
        self, values: Floats, found: Floats, cards: Codes | None, heard: Listening
    ) -> tuple[Floats, Floats, Floats]:
        """Log odds by part in the mix, of each expert by itself, and of half the horizon.

        Returns:
            (n, C), what is beyond belief empty; (n, E); (n,).
        """
        half = values.shape[1]
        to = {name: heard.to(place) for place, name in enumerate(EXPERTS)}
        parts = np.zeros((len(values), self.names.index(BEYOND) + 1))
        experts = np.tile(self._constants, (len(values), 1))
        written = self._cards.contributions(values, cards)
        calibration = self._calibrations[CARD_CALIBRATED].scale
        parts[:, :half] += written * (to[CARD] + to[CARD_CALIBRATED] * calibration)
        total = written.sum(axis=1)
        experts[:, EXPERTS.index(CARD)] += total
        experts[:, EXPERTS.index(CARD_CALIBRATED)] += total * calibration
        if self._silence is not None:
            known = found[:, half + self._silence] == 0.0
            silence = np.where(known, found[:, self._silence] - self._center, 0.0) * self._calibrations[RECENCY].scale
            parts[:, self._silence] += silence * to[RECENCY][..., 0]
            experts[:, EXPERTS.index(RECENCY)] += silence
        read = self._regressions.standardize(found)
        first = EXPERTS.index(risk.REGRESSIONS[0])
        behind = first + len(risk.REGRESSIONS)
        experts[:, first:behind] += read @ self._regressions.weights
        mixed = read * heard.rows(self._read)
        parts[:, :half] += mixed[:, :half] + mixed[:, half:]
        means, scales, weights, level = self._proxy
        early = standardized(found, means, scales) * weights
        place, scale = EXPERTS.index(PROXY), self._calibrations[PROXY].scale
        halfway = early.sum(axis=1)
        experts[:, place] += scale * halfway
        parts[:, :half] += to[PROXY] * scale * (early[:, :half] + early[:, half:])
        if self._past is not None:
            place = EXPERTS.index(RHYTHM)
            said = self._rhythm.opinions(rhythm.history(values, self._past, self._outcome))
            known = ~np.isnan(said)
            experts[known, place] = said[known]
            own = to[RHYTHM][..., 0] * (said - self._constants[place])
            parts[known, self.names.index(OWN_RHYTHM)] = own[known]
        return parts, experts, halfway + level

    def _others(self, learned: Model, config: Config) -> list[Voice]:
        """The experts that this installation has beside `EXPERTS`."""
        place, known, horizon = hazard.renewal(config.measures), learned.hazard, self._outcome.horizon / DAY
        if place is None or known is None:
            return []
        names = feature_names([measure.name for measure in config.measures])
        signs = {one.name: 1.0 if one.direction == "down" else -1.0 for one in config.measures}
        leanings = hazard.leanings(learned.regressions.bayes, names, signs, config.measures[place].name)

        def say(values: Floats, read: Floats) -> tuple[Floats, Floats]:
            leans = self._regressions.standardize(read) * leanings
            each = leans[:, : len(names) // 2] + leans[:, len(names) // 2 :]
            lean, days = each.sum(axis=1), values[:, place]
            said = known.opinions(days, horizon, lean)
            far = np.abs(lean) > _SAME
            worth = np.where(far, (said - known.opinions(days, horizon)) / np.where(far, lean, 1.0), 0.0)
            return said, each * worth[:, None]

        return [Voice(HAZARD, place, say)]

    def _guests(self, learned: Model, names: tuple[str, ...], panel: Panel | None) -> list[Voice]:
        """The experts of plugins of which the model knows something."""
        seats = [] if panel is None else panel.seats(learned.guests)
        return [Voice(one.name, self.names.index(GUEST + one.name), partial(_asked, one, names)) for one in seats]

    def _listen(
        self, values: Floats, read: Floats, parts: Floats, heard: Listening, mixed: Floats
    ) -> tuple[Floats, dict[str, Floats]]:
        """The mix with those who may be silent, and what they say; `parts` becomes its own.

        Where one is silent its weight is everybody else's, in proportion. Nobody speaks of a customer of whom nothing
        is known, so that the base is that of `EXPERTS`.
        """
        said: dict[str, Floats] = {}
        if not self._voices:
            return mixed, said
        total = np.ones(len(values))
        for place, voice in enumerate(self._voices):
            opinions, apart = voice.say(values, read)
            believed = np.clip(opinions, *self._limits)
            said[voice.name] = expit(believed)
            weight = heard.beside[..., place]
            if weight.any():
                known = ~np.isnan(opinions)
                total[known] += np.broadcast_to(weight, len(values))[known]
                share = weight * (opinions - heard.constant)
                if apart is not None:
                    theirs = np.broadcast_to(weight, len(values))[:, None] * apart
                    parts[known, : values.shape[1]] += theirs[known]
                    share -= theirs.sum(axis=1)
                parts[known, voice.part] += share[known]
                mixed[known] += (weight * believed)[known]
        parts /= total[:, None]
        return mixed / total, said

    def _expert_constants(self, learned: Model, zero: float) -> Floats:
        """Log odds that each expert gives a customer of whom nothing is known (E,); `zero` is the card's own."""
        constants = {
            CARD: zero,
            CARD_CALIBRATED: zero + learned.calibrations[CARD_CALIBRATED].shift,
            RECENCY: zero + learned.calibrations[RECENCY].shift,
            **dict(zip(risk.REGRESSIONS, self._regressions.intercepts.tolist(), strict=True)),
            RHYTHM: logit(learned.left / learned.seen),
            PROXY: zero + self._calibrations[PROXY](self._proxy[-1] - zero),
            BASE_RATE: logit(learned.left / learned.seen),
        }
        return np.array([constants[name] for name in EXPERTS])


def _asked(seat: Seat, names: tuple[str, ...], _: Floats, read: Floats) -> tuple[Floats, None]:
    said: Floats = np.clip(seat.say(names, read), -LIMIT, LIMIT)
    return said, None


def _laid_out(proxy: Proxy, names: Sequence[str]) -> tuple[Floats, Floats, Floats, float]:
    """Means, scales and weights of features of these names, and the log odds of the average customer."""
    means, scales = proxy.scaling.scales(names[: len(names) // 2])
    weights = np.array([proxy.bayes.weights.get(name, 0.0) for name in names])
    return means, scales, weights, proxy.bayes.intercept
