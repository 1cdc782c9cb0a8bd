"""A draft before it is switched on: the past, as what runs and as the draft would have told it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hub.sdk.errors import HubError
from hub.success.apart import Order
from hub.success.replaying import READING
from hub.web import words
from hub.web.backtests import Told, Wanted
from hub.web.drafts import Texts
from hub.web.page import Asked, Page, Site
from hub.web.pages.models import in_use
from hub.web.pages.scorecard import SINCES, STATES, TICKS, split
from hub.web.refusal import RefusedError
from scoring.config import Config
from scoring.declared import seconds
from scoring.drafts import differences
from scoring.profiles import names
from scoring.proof.backtest import Backtest, Matrix, Side

_LIVE: Final = 1.0  # seconds between two looks at how far it is
_STEPS: Final = {READING: "Reading the archive", "in use": "As what runs tells it", "draft": "As the draft tells it"}
_SKILLS: Final = (("auc", "Order: AUC of the risk"), ("log_loss", "Log loss"), ("ece", "What it says is off by (ECE)"))


def ask(site: Site, texts: Texts, draft: Config, form: Mapping[str, str]) -> str:
    """Ask for one; its id.

    Raises:
        RefusedError: since when or how often makes no sense.
    """
    since, tick = form.get("since", "").strip(), form.get("tick", TICKS[0][0]).strip()
    now, old = site.today(), in_use(site)
    span = _span(since) if since else None
    order = Order(
        database=site.context.database.url.render_as_string(hide_password=False),
        old=old.body,
        new=draft.body,
        every=_span(tick),
        since=None if span is None else now - span,
        until=now if site.context.settings.clock == "wall" else None,
    )
    wanted = Wanted(
        measures=texts.measures,
        scorecard=texts.scorecard,
        since=since,
        tick=tick,
        was=old.version,
        becomes=draft.version,
        lines=differences(old, draft),
    )
    try:
        return site.backtests.ask(wanted, order)
    except HubError as error:
        raise RefusedError(503, f"The backtest could not be begun: {error}.") from None


def view(site: Site, asked: Asked) -> Page:
    """How far it is, or what came of it."""
    told = site.backtests.one(asked.names["key"][:40])
    if told is None:
        raise RefusedError(404, "This backtest is not kept any more: the newest twenty are.", title="Not here any more")
    found = told.came.found if told.came else None
    return Page(
        template="backtest.html",
        title="Backtest",
        values={
            "now": site.context.now(),
            "asked": asked,
            "told": told,
            "words": STATES,
            "since_words": dict(SINCES).get(told.wanted.since, told.wanted.since),
            "tick_words": dict(TICKS).get(told.wanted.tick, told.wanted.tick),
            "steps": _steps(told),
            "lines": [split(line) for line in told.wanted.lines[:40]],
            "more": max(0, len(told.wanted.lines) - 40),
            "found": found,
            "archive": told.came.archive if told.came else None,
            "last": _some(found.last) if found else {},
            "all": _some(found.all) if found else {},
            "rows": _rows(found) if found else [],
            "called": _called(site, found) if found else {},
            "runs": in_use(site).version,
            "horizon": words.plural(round(in_use(site).scorecard.outcome.horizon / words.DAY), "day"),
        },
        live=("backtest",) if told.open else (),
        idle=_LIVE if told.open else 30.0,
    )


def _span(said: str) -> float:
    found = seconds(said)
    if not isinstance(found, float) or not 0.0 < found < 1e10:  # noqa: PLR2004 - three hundred years
        raise RefusedError(400, f"{said[:40]} is no length of time: 90d, 12h, 2w.", code="bad_question")
    return found


def _steps(told: Told) -> list[tuple[str, str, float]]:
    """What is done of each step: in words, and as a share."""
    far = {step: (done, of) for step, done, of in told.steps}
    found = []
    for step, name in _STEPS.items():
        done, of = far.get(step, (0, 0))
        unit = "event" if step == READING else "look"
        said = f"{done:,} of {words.plural(of, unit)}" if of else "not begun"
        found.append((name, said, done / of if of else 0.0))
    return found


def _some(matrix: Matrix) -> dict[str, dict[str, int]]:
    return {str(was): {str(now): n for now, n in row.items()} for was, row in matrix.items() if any(row.values())}


def _rows(found: Backtest) -> list[tuple[str, str, str, str]]:
    """What each came to, in words: (of what, what runs, the draft, what it means)."""
    sides = (found.current, found.draft)

    def row(name: str, of: Any, means: str = "") -> tuple[str, str, str, str]:
        return name, of(sides[0]), of(sides[1]), means

    return [
        row("Alerts that would have left", lambda s: words.whole(s.alerts)),
        row("of those that came due, customer lost", lambda s: f"{s.warning.alerts_right:,} of {s.warning.alerts:,}"),
        row("Fields written to the CRM", lambda s: words.whole(s.writes)),
        row("At risk: of them lost", lambda s: words.share(s.warning.precision), "precision"),
        row("Lost: seen at risk before", lambda s: words.share(s.warning.recall), "recall"),
        row("Days before, at the median", lambda s: words.figure(s.warning.lead_days, 0), "lead time"),
        *(row(name, lambda s, key=key: _figure(s, key)) for key, name in _SKILLS),
    ]


def _figure(side: Side, key: str) -> str:
    figure = side.skill.figures[key]
    if figure.value is None:
        return words.UNKNOWN
    between = "" if figure.low is None else f" ({figure.low:.3f}–{figure.high:.3f})"
    return f"{figure.value:.3f}{between}"


def _called(site: Site, found: Backtest) -> dict[str, str]:
    wanted = [one.account for one in found.most]
    wanted += [one.account for side in (found.current, found.draft) for one in side.only]
    with site.context.database.read() as connection:
        return names(connection, wanted)
