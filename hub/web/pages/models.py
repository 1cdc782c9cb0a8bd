"""Does the score predict? The track record of the models, for those who rely on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from hub.web import words
from hub.web.page import Asked, Page, Site
from hub.web.refusal import RefusedError
from hub.web.svg.calibration import calibration
from hub.web.svg.months import Step, months
from hub.web.svg.trail import trail
from scoring.config import Config
from scoring.experts.drift import Alarm
from scoring.lessons import MIX
from scoring.proof.model_card import WORDS, card, lacking
from scoring.proof.record import TOPS, Expert, Month, Record, record

USUAL: Final = 20
MOST: Final = 1_000
SHOWN: Final = 10  # versions
_FRESH: Final = 60.0  # seconds: what came due matured weeks ago
_GUESSING: Final = 0.5


def view(site: Site, asked: Asked) -> Page:
    """The track record."""
    top = min(max(1, int(asked.number("top") or USUAL)), MOST)
    found = told(site, top)
    return Page(
        template="models.html",
        title="Models",
        values={
            "now": site.today(),
            "asked": asked,
            "found": found,
            "mix": found.mix,
            "top": top,
            "tops": TOPS,
            "chosen": found.chosen.get(top),
            "most": MOST,
            "lacking": lacking(found.missing),
            "each": "week" if found.every == 7 * words.DAY else words.span(found.every),
            "horizon": words.plural(round(found.horizon / words.DAY), "day"),
            "wall": site.context.now(),
            "calibration": calibration(found.curve),
            "months": _months(found.months),
            "experts": [(one, WORDS.get(one.name, one.name), _trail(found, one.name)) for one in _sorted(found)],
            "shown": SHOWN,
            "drifted": _drifted(found),
            "MIX": MIX,
        },
    )


def told(site: Site, top: int = USUAL) -> Record:
    """The record; a minute old at most, or a little more where there are very many outcomes."""
    config = in_use(site)
    tops = TOPS if top in TOPS else (*TOPS, top)

    def compute() -> Record:
        now = site.today()
        with site.context.database.read() as connection:
            return record(connection, config, now, tops)

    return site.context.hot.get(f"record:{config.version}:{tops}", _FRESH, compute, Record)


def written(site: Site) -> str:
    """The model card, in Markdown."""
    return card(told(site), in_use(site), site.context.version)


def in_use(site: Site) -> Config:
    """What is measured and how it is weighed.

    Raises:
        RefusedError: this process was not told.
    """
    if site.context.config is None:
        raise RefusedError(503, "This process does not know how health is made; ask the one that scores.")
    return site.context.config


def _months(found: Sequence[Month]) -> Any:
    steps = [
        Step(
            name=f"{words.moment(one.begins):%b %y}" if place == 0 else f"{words.moment(one.begins):%b}",
            value=one.weekly.value if one.weekly else None,
            low=one.weekly.low if one.weekly else 0.0,
            high=one.weekly.high if one.weekly else 0.0,
            other=one.card,
            outcomes=one.labels,
            lost=one.lost,
            says=_says(one),
        )
        for place, one in enumerate(found)
    ]
    least = min((step.low for step in steps if step.value is not None), default=_GUESSING)
    low = min(_GUESSING, math.floor(least * 10) / 10)
    return months(steps, low=low, high=1.0, even=_GUESSING, what="AUC among customers of one week")


def _says(one: Month) -> str:
    name = f"{words.moment(one.begins):%B %Y}: {one.labels:,} outcomes, {one.lost:,} lost"
    if one.weekly is None:
        return f"{name}; insufficient labels"
    beside = "" if one.card is None else f"; the scorecard alone {one.card:.2f}"
    return f"{name}; AUC {one.weekly.value:.2f} ({one.weekly.low:.2f} to {one.weekly.high:.2f}){beside}"


def _drifted(found: Record) -> list[tuple[Alarm, str]]:
    """The newest times that an expert was found to predict worse than it used to, newest first, and who it was."""
    alarms = found.versions[0].alarms if found.versions else []
    return [
        (alarm, "the blend" if alarm.expert == MIX else WORDS.get(alarm.expert, alarm.expert))
        for alarm in alarms[::-1][:3]
    ]


def _sorted(found: Record) -> Sequence[Expert]:
    """The mix, then those it listens to most."""
    return sorted(found.experts, key=lambda one: (one.weight is not None, -(one.weight or 0.0)))


def _trail(found: Record, name: str) -> Any:
    most = max((weight for one in found.versions for weight in one.weights.values()), default=1.0)
    return trail([one.weights.get(name, 0.0) for one in reversed(found.versions)], most)
