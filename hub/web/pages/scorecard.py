"""The scorecard editor: what weighs how much, what a change would do to whom, and how it becomes real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hub.web.drafts import Judge, Judged, Texts, kept, understood
from hub.web.page import Asked, Page, Site
from hub.web.pages.models import in_use
from scoring.bands import BANDS
from scoring.drafted import MEASURES, SCORECARD, Drafted
from scoring.drivers import SPECIAL
from scoring.weights import weights
from scoring.yamls import LONGEST, Problem

SINCES: Final = (("", "all the archive holds"), ("90d", "90 days"), ("180d", "180 days"), ("365d", "a year"))
TICKS: Final = (("7d", "every week"), ("1d", "every day"), ("14d", "every two weeks"), ("28d", "every four weeks"))
STATES: Final = {
    "waiting": "Waits for its turn",
    "running": "Under way",
    "done": "Done",
    "failed": "Could not be done",
    "canceled": "Called off",
    "interrupted": "Interrupted",
}
_LINES: Final = 60  # of what is said otherwise


def view(site: Site, asked: Asked) -> Page:
    """What runs, to begin with; or the draft of a backtest."""
    texts, told = kept(site), site.backtests.one(asked.query.get("draft", "")[:40]) if "draft" in asked.query else None
    if told is not None:
        texts = Texts(told.wanted.measures, told.wanted.scorecard)
    return page(site, asked, texts, understood(site, texts), None)


def judged(site: Site, asked: Asked, texts: Texts, judge: Judge) -> Page:
    """A draft, what is wrong with it, or whom it would move."""
    found = understood(site, texts)
    return page(site, asked, texts, found, judge.judge(found.config) if found.config else None)


def page(site: Site, asked: Asked, texts: Texts, draft: Drafted, told: Judged | None) -> Page:
    """The editor with a draft in it."""
    config, settings = in_use(site), site.context.settings
    parsed = draft.parsed.get(SCORECARD)
    moved = told.found if told else None
    return Page(
        template="scorecard.html",
        title="Scorecard",
        values={
            "now": site.today(),
            "asked": asked,
            "texts": texts,
            "files": {"measures": MEASURES, "scorecard": SCORECARD},
            "draft": draft,
            "excerpts": [_excerpt(one, texts) for one in draft.problems],
            "sides": weights(parsed.node) if parsed else [],
            "heaviest": _heaviest(parsed.node if parsed else None),
            "told": told,
            "lines": [split(line) for line in told.lines[:_LINES]] if told else [],
            "more": max(0, len(told.lines) - _LINES) if told else 0,
            "moved": moved,
            "matrix": matrix(moved.bands) if moved else {},
            "changed": sum(many for (was, now), many in moved.bands.items() if was != now) if moved else 0,
            "special": SPECIAL,
            "running": config.version,
            "taken": asked.query.get("draft", "")[:40],
            "wall": site.context.now(),
            "backtests": site.backtests.newest(),
            "sinces": SINCES,
            "ticks": TICKS,
            "states": STATES,
            "stale": draft.config is not None
            and told is None
            and "draft" not in asked.query
            and draft.config.version != config.version,
            "plugged": [str(one.get("name")) for one in site.context.measures],
            "folder": settings.scoring,
            "longest": LONGEST,
        },
    )


def matrix(bands: Mapping[tuple[Any, Any], int]) -> dict[str, dict[str, int]]:
    """Band -> band with the draft -> how many; empty rows are left out."""
    found = {was: {now: bands.get((was, now), 0) for now in BANDS} for was in BANDS}
    return {str(was): {str(now): many for now, many in row.items()} for was, row in found.items() if any(row.values())}


def split(line: str) -> tuple[str, str, str, str]:
    """Where something is said otherwise, by which sign, what it was and what it would be.

    >>> split("scorecard, hysteresis: 3 -> 5")
    ('scorecard, hysteresis', 'changed', '3', '5')
    >>> split("measure a: gone"), split("measure b: new, count")
    (('measure a', 'gone', '', ''), ('measure b', 'new', '', 'count'))
    """
    path, _, said = line.partition(": ")
    was, arrow, becomes = said.partition(" -> ")
    if arrow:
        return path, "changed", was, becomes
    sort, _, rest = said.partition(", ")
    return path, sort if sort in ("new", "gone") else "changed", "", rest if sort in ("new", "gone") else said


def _excerpt(problem: Problem, texts: Texts) -> str:
    """The line that is wrong, as it stands."""
    lines = (texts.measures if problem.file == MEASURES else texts.scorecard).split("\n")
    if problem.line is None or not 0 < problem.line <= len(lines):
        return ""
    line = lines[problem.line - 1].strip()
    return line if len(line) <= 100 else f"{line[:99]}…"  # noqa: PLR2004 - a line


def _heaviest(node: Any) -> float:
    """Where the sliders end."""
    found: Sequence[float] = [one.value for side in weights(node) for one in (side.weight, *side.measures)]
    return max(10.0, *(2.0 * value for value in found)) if found else 10.0
