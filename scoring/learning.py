"""The pure function that teaches: matured labels in, the model after them out.

Labels are learned in portions, `scoring.teaching.PORTION` at a time; those that do not fill one wait in the model. So
it makes no difference how they were cut into batches, and a label costs microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import numpy as np

from scoring import growth
from scoring.arrays import Floats, Mask, logit
from scoring.clock import DAY
from scoring.config import Config
from scoring.experts import hazard, rhythm
from scoring.experts.calibration import Platt
from scoring.experts.mixture import LIMIT, log_losses
from scoring.experts.recency import center, sign_of_life
from scoring.families.segments import DEFAULT
from scoring.features import feature_names, measured
from scoring.lessons import MIX, Lessons, Waiting, joined
from scoring.model import (
    CARD,
    CARD_CALIBRATED,
    HALFWAY,
    HAZARD,
    MEMORY,
    PROXY,
    RECENCY,
    RHYTHM,
    Model,
    decode,
    encode,
    segments,
    trust,
    weight_of,
)

if TYPE_CHECKING:
    from scoring.experts.guests import Panel
    from scoring.teaching import Teacher

_ALIKE: Final = 2e-6  # predictions are compared as they are stored, rounded
_SURE: Final = 1e-9
_DOUBT: Final = 0.1


def taught(
    model: Model,
    lessons: Iterable[Lessons],
    config: Config,
    early: Iterable[Lessons] = (),
    panel: Panel | None = None,
) -> Model:
    """The model after these lessons, in this order; `model` stays as it is.

    What was learned under another configuration is kept by name: a measure that is new begins with no weight.

    Args:
        model: what was learned before.
        lessons: of whole horizons.
        config: what is measured, and what losing a customer means.
        early: lessons of half the horizon, which teach the proxy alone.
        panel: experts of plugins; what others of them have learned is kept as it is.
    """
    lecture = _Lecture(decode(encode(model)), config, panel)
    model = lecture.model
    model.waiting_early = _portions(model.waiting_early, map(lecture.count_early, early), lecture.teach_early)
    model.waiting = _portions(model.waiting, map(lecture.count, lessons), lecture.teach)
    return lecture.end()


def _portions(before: Waiting, lessons: Iterable[Lessons], teach: Callable[[Lessons], None]) -> Waiting:
    """Teach whole portions; what is left waits."""
    from scoring.teaching import PORTION  # noqa: PLC0415 - it brings River and SciPy: a second that no start waits for

    waiting = before.lessons()
    for some in lessons:
        if waiting is not None and not waiting.like(some):
            teach(waiting)
            waiting = None
        waiting = some if waiting is None else joined(waiting, some)
        whole = len(waiting) // PORTION * PORTION
        for start in range(0, whole, PORTION):
            teach(waiting[start : start + PORTION])
        waiting = waiting[whole:] if whole < len(waiting) else None
    return Waiting.of(waiting)


def opinions(chances: Floats) -> Floats:
    """Log odds of predicted probabilities, within the experts' limit whatever the numbers; NaN where NaN."""
    sure = np.clip(chances, _SURE, 1.0 - _SURE)
    found: Floats = np.clip(np.log(sure) - np.log1p(-sure), -LIMIT, LIMIT)
    return found


class _Lecture:
    """A model while it is taught; what is looked up once is looked up here."""

    def __init__(self, model: Model, config: Config, panel: Panel | None) -> None:
        from scoring.teaching import Teacher  # noqa: PLC0415 - as above

        self.model = model
        self._config = config
        self._outcome = outcome = config.scorecard.outcome
        self._zero, self._weight = logit(config.scorecard.base_rate), weight_of(outcome)
        self._signs = {m.name: 1.0 if m.direction == "down" else -1.0 for m in config.measures}
        self._teacher: Teacher = Teacher(model.regressions, self._signs)
        self._silence, self._middle = sign_of_life(config.measures, outcome), center(outcome)
        self._past = rhythm.past(config.measures, outcome)
        self._renewal = hazard.renewal(config.measures)
        if self._renewal is not None and model.hazard is None:
            model.hazard = hazard.fresh(model.left / model.seen)
        self._expansion = config.scorecard.expansion
        if self._expansion is not None and model.growth is None:
            model.growth = growth.fresh(self._expansion.base_rate)
        model.mixture.welcome(trust(config))
        self._guests = [] if panel is None else panel.pupils(model.guests)
        model.calibrations.setdefault(PROXY, Platt())

    def count(self, lessons: Lessons) -> Lessons:
        """Take note of labels as they come."""
        model, weight = self.model, self._weight
        kept = 1.0 - weight / MEMORY
        for lost in lessons.lost.tolist():
            model.seen = model.seen * kept + weight
            model.left = model.left * kept + weight * lost
        model.labels += len(lessons)
        model.unpublished += len(lessons)
        model.lost += int(lessons.lost.sum())
        if model.growth is not None:
            model.growth.count(lessons.grown)
        model.trained_through = max(model.trained_through, float(lessons.matured_at.max(initial=0.0)))
        return lessons

    def count_early(self, lessons: Lessons) -> Lessons:
        """Take note of labels of half the horizon."""
        model = self.model
        model.early += len(lessons)
        model.unpublished += len(lessons)
        model.trained_through = max(model.trained_through, float(lessons.matured_at.max(initial=0.0)))
        return lessons

    def teach_early(self, portion: Lessons) -> None:
        """Let the proxy learn from a portion of half the horizon."""
        if not portion.names:
            return
        proxy, features = self.model.proxy, portion.features.astype(np.float64)
        proxy.scaling.learn(portion.names, features)
        read = proxy.scaling.standardized(portion.names, features)
        weight = min(1.0, 2.0 * self._weight)
        kept = (1.0 - weight / MEMORY) ** len(portion)
        proxy.bayes.learn(portion.names, read, portion.lost, weight, kept)

    def teach(self, portion: Lessons) -> None:
        """Let every expert, and the mixture, learn from a portion."""
        model, weight, lost = self.model, self._weight, portion.lost
        said = opinions(np.column_stack([portion.column(name) for name in model.mixture.weights]))
        heard = _listened_to(portion)
        self._watch(portion, said, heard)
        self._blend(portion, said, heard)
        model.mixture.learn(said[heard], lost[heard], weight)
        card = opinions(portion.column(CARD))
        known = ~np.isnan(card)
        model.calibrations[CARD_CALIBRATED].learn(card[known] - self._zero, lost[known], weight)
        halfway = opinions(portion.column(HALFWAY))
        foreseen = ~np.isnan(halfway)
        model.calibrations[PROXY].learn(halfway[foreseen] - self._zero, lost[foreseen], weight)
        if not portion.names:
            return
        if self._silence in portion.names:
            self._learn_silence(portion)
        kept = (1.0 - weight / MEMORY) ** len(lost)
        if self._past is not None and (history := self._history(portion)) is not None:
            model.rhythm.learn(history, lost, weight, kept, silence=self._outcome.only_silence)
        features = portion.features.astype(np.float64)
        for guest in self._guests:
            guest.learn(portion.names, features, lost, weight)
        read = self._teacher.learn(portion.names, features, lost)
        if self._renewal is not None and model.hazard is not None:
            name = self._config.measures[self._renewal].name
            days = measured(portion.features, portion.names, [name])[:, 0]
            lean = read @ hazard.leanings(model.regressions.bayes, portion.names, self._signs, name)
            model.hazard.learn(days, self._outcome.horizon / DAY, lean, lost, weight=weight, kept=kept)
        model.regressions.bayes.learn(portion.names, read, lost, weight, kept)
        if self._expansion is not None and model.growth is not None and len(portion.grown):
            half, zero = len(portion.names) // 2, logit(self._expansion.base_rate)
            how = growth.Weighing(weight, 1.0 - weight / MEMORY, zero)
            said = portion.column(growth.GROWS_RAW)
            model.growth.learn(portion.names[:half], read[:, :half], portion.grown, said, how)

    def _watch(self, portion: Lessons, said: Floats, heard: Mask) -> None:
        """See whether an expert, or the mix, predicts worse than it used to; such a one is less sure from here on."""
        experts = (*self.model.mixture.weights, MIX)
        with np.errstate(invalid="ignore"):  # who is silent on a customer has no loss
            losses = log_losses(np.column_stack([said, opinions(portion.column(MIX))]), portion.lost[:, None])
        outcome = self._outcome
        raised = self.model.drift.see(
            experts, losses[heard], portion.matured_at[heard], every=outcome.every, horizon=outcome.horizon
        )
        for alarm in raised:
            self._doubt(alarm.expert)

    def _doubt(self, expert: str) -> None:
        """Let it learn from what comes as if it had seen a tenth of what it has; what it believes stays."""
        model = self.model
        if expert in model.calibrations:
            model.calibrations[expert].doubt(_DOUBT)
        beliefs = {
            "bayes": model.regressions.bayes,
            PROXY: model.proxy.bayes,
            RHYTHM: model.rhythm,
            HAZARD: model.hazard,
        }
        if (belief := beliefs.get(expert)) is not None:
            belief.doubt(_DOUBT)
        elif expert in self._teacher.models:
            self._teacher.forget(expert)
        elif expert == MIX:
            model.mixture.gap = 0.0

    def _blend(self, portion: Lessons, said: Floats, heard: Mask) -> None:
        """Let each segment learn from its own."""
        model, weight = self.model, self._weight
        for code, name in enumerate((*portion.cards, "") if portion.cards else ()):
            mine = heard & (portion.codes == (code if name else DEFAULT))
            if mine.any():
                kept = (1.0 - weight / MEMORY) ** int(mine.sum())
                whole = model.mixture.weights
                model.blends.learn(name, whole, said[mine], portion.lost[mine], weight=weight, kept=kept)

    def end(self) -> Model:
        """The model, with what follows from all that was learned."""
        model = self.model
        model.guests |= {pupil.name: guest for pupil in self._guests if (guest := pupil.guest()) is not None}
        model.mixture.welcome(trust(self._config, model.guests))
        for calibration in model.calibrations.values():
            calibration.settle(self._zero)
        taught = self._teacher.state()
        taught.bayes = model.regressions.bayes
        known = feature_names([m.name for m in self._config.measures])
        taught.bayes.settle(self._signs, {*known, *model.waiting.names})
        model.proxy.bayes.settle(self._signs, {*known, *model.waiting_early.names})
        model.regressions = taught
        if self._expansion is not None and model.growth is not None:
            model.growth.settle({*known, *model.waiting.names}, logit(self._expansion.base_rate))
        model.blends.keep((*segments(self._config.scorecard), ""))
        model.config_version = self._config.version
        return model

    def _learn_silence(self, portion: Lessons) -> None:
        place, half = portion.names.index(self._silence or ""), len(portion.names) // 2
        known = portion.features[:, half + place] == 0.0
        said = portion.features[known, place].astype(np.float64) - self._middle
        self.model.calibrations[RECENCY].learn(said, portion.lost[known], self._weight)

    def _history(self, portion: Lessons) -> Floats | None:
        past = self._past
        if past is None:
            return None
        names = [self._config.measures[place].name for place in past[:3]]
        values = measured(portion.features, portion.names, names)
        return rhythm.history(values, rhythm.Past(0, 1, 2, past.window), self._outcome)


def _listened_to(portion: Lessons) -> Mask:
    """(n,) whether the models had a say in what was shown; before, they had learned nothing that could be judged."""
    mix, card = portion.column(MIX), portion.column(CARD)
    return np.isnan(mix) | np.isnan(card) | (np.abs(mix - card) > _ALIKE)
