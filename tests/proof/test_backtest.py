"""A draft against the past: whom it would have moved, of whom it would have told, and how well it warned."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from hub.success.past import PastFalls
from scoring.bands import BANDS
from scoring.clock import DAY
from scoring.config import Config
from scoring.families.by_hand import KIND, OURS
from scoring.proof.backtest import AT_RISK, Replay, backtest
from scoring.proof.prequential import moments, play
from scoring.proof.watching import Watch
from tests.proof.past import HORIZON, MIDNIGHT, config, orders, told
from tests.scoring.room import event

CONFIG = config()
SILENCE = "silence"


def _draft(of=CONFIG, **changes) -> Config:
    return Config.model_validate({"measures": of.measures, "scorecard": of.scorecard.model_dump() | changes})


def _strict(days, cap=20) -> Config:
    """As it is, but whoever is silent for so many days is at risk."""
    return _draft(limits=[{"when": {SILENCE: f">= {days}"}, "cap": cap}])


def _backtest(story, draft, of=CONFIG, **more):
    return backtest(
        Replay(of, "in use", told(of, story)), Replay(draft, "draft", told(draft, story)), PastFalls, draws=0, **more
    )


def _without_costs(side):
    return {name: one for name, one in msgspec.to_builtins(side).items() if name not in ("cpu_s", "version")}


def _steady_and_gone(days=75):
    """Two shops that order every third day; one of them stops after the thirtieth day."""
    return [
        (event("invoice.paid", MIDNIGHT + day * DAY + 1, id=f"{shop}-{day}", amount=10, currency="EUR"), shop)
        for day in range(0, days, 3)
        for shop in ("stays", "stops")
        if shop == "stays" or day <= 30
    ]


def test_a_draft_that_says_the_same_changes_nobody():
    found = _backtest(orders(80, 220), _draft())
    assert (found.changed, found.ever, found.most) == (0, 0, [])
    assert all(not many for band, row in found.all.items() for other, many in row.items() if band != other)
    assert _without_costs(found.current) == _without_costs(found.draft)
    assert found.current.only == []
    assert found.same_outcome


def test_a_stricter_draft_moves_exactly_whom_it_says():
    """By hand: at each look whoever was silent for ten days is at risk, and was whatever it was before."""
    story = _steady_and_gone(50)
    found = _backtest(story, _strict(10))
    past = told(CONFIG, story)
    watch = Watch(2, CONFIG.scorecard, PastFalls(), float("-inf"))
    play(past, CONFIG, on_scores=watch)
    expected, last, silent = Counter(), Counter(), []
    for at, look in zip(moments(past, 7 * DAY), watch.looks, strict=True):
        last.clear()
        for place, band in zip(look.shown.accounts, look.shown.band, strict=True):
            ordered = [one.occurred_at.timestamp() for one, shop in story if shop == past.accounts[place]]
            quiet = (at - max(when for when in ordered if when <= at)) / DAY >= 10
            silent += [(past.accounts[place], at)] if quiet else []
            last[BANDS[band], "at_risk" if quiet else BANDS[band]] += 1
        expected += last
    assert {pair[0] for pair in silent} == {"stops"}
    assert {(a, b): many for a, row in found.all.items() for b, many in row.items() if many} == expected
    assert {(a, b): many for a, row in found.last.items() for b, many in row.items() if many} == last
    assert found.ever == 1
    first = silent[0][1]
    assert (MIDNIGHT + 40 * DAY) < first <= (MIDNIGHT + 47 * DAY)
    assert [(one.account, one.at) for one in found.draft.only] == [("stops", first)]
    assert (found.draft.alerts, found.draft.alone) == (1, 1)
    assert found.draft.only[0].health <= 20.0


def test_an_account_stays_at_risk_until_it_is_well_beyond_the_border():
    """Hysteresis is carried from look to look, as in production; and it is the draft's own."""
    story = orders(40, 150)
    calm = _backtest(story, _draft(hysteresis=100.0))
    steps = told(CONFIG, story)
    watch = Watch(len(steps.accounts), _draft(hysteresis=100.0).scorecard, PastFalls(), float("-inf"))
    play(steps, CONFIG, on_scores=watch)
    for look in watch.looks:
        known = (look.shown.was >= 0) & (look.shown.was != BANDS.index("left"))
        assert (look.shown.band[known] == look.shown.was[known]).all()
    assert calm.ever > 0


def test_nothing_of_the_future_is_seen():
    """Cut the archive off: every look that was there stays as it was, to the last digit, and so do its alerts."""
    story, draft = orders(80, 220), _strict(14)
    until = MIDNIGHT + 150 * DAY
    seen = []
    for some in (story, [pair for pair in story if pair[0].occurred_at.timestamp() <= until]):
        past = told(draft, some)
        watch = Watch(len(past.accounts), draft.scorecard, PastFalls(), float("-inf"))
        play(past, draft, on_scores=watch)
        seen.append([
            (one.shown.at, one.shown.accounts.tolist(), one.shown.health.tolist(), one.shown.band.tolist(), one.alerts)
            for one in watch.looks
            if one.shown.at <= until
        ])  # fmt: skip
    whole, cut = seen
    assert len(cut) >= 10
    assert cut == whole[: len(cut)]
    assert any(look[4] for look in cut)


def test_what_was_before_is_lived_through_and_not_reported():
    story, draft = orders(80, 220), _strict(14)
    whole, late = _backtest(story, draft), _backtest(story, draft, since=MIDNIGHT + 120 * DAY)
    assert late.begins >= MIDNIGHT + 120 * DAY > whole.begins
    assert late.last == whole.last
    assert late.most == whole.most
    assert late.draft.alerts < whole.draft.alerts


def test_a_warning_is_held_to_what_became_of_the_customer():
    """Counted again, customer by customer, from the orders alone."""
    story, draft = orders(80, 220), _strict(14)
    found = _backtest(story, draft).draft.warning
    past = told(draft, story)
    watch = Watch(len(past.accounts), draft.scorecard, PastFalls(), float("-inf"))
    played = play(past, draft, on_scores=watch)
    ordered = {shop: [one.occurred_at.timestamp() for one, whose in story if whose == shop] for shop in past.accounts}
    looks = at_risk = right = 0
    losses: dict[tuple[str, float], list[float]] = {}
    for look in watch.looks:
        if look.shown.at + HORIZON > past.time[-1]:
            continue
        for place, band in zip(look.shown.accounts, look.shown.band, strict=True):
            shop, at = past.accounts[place], look.shown.at
            last = max(when for when in ordered[shop] if when <= at)
            if last <= at - HORIZON:
                continue  # lost already
            lost = not any(at < when <= at + HORIZON for when in ordered[shop])
            looks, at_risk = looks + 1, at_risk + (band == AT_RISK)
            right += lost and band == AT_RISK
            if lost:
                losses.setdefault((shop, last + HORIZON), []).extend([at] if band == AT_RISK else [])
    leads = [(end - min(seen)) / DAY for (_, end), seen in losses.items() if seen]
    assert len(played.snapshots) > 10
    assert (found.looks, found.at_risk, found.losses) == (looks, at_risk, len(losses))
    assert found.precision == pytest.approx(right / at_risk)
    assert found.recall == pytest.approx(len(leads) / len(losses))
    assert found.lead_days == pytest.approx(np.median(leads))
    assert 0 < found.alerts_right <= found.alerts


def test_where_labels_do_not_suffice_no_share_is_given():
    found = _backtest(_steady_and_gone(), _strict(10))
    assert found.draft.warning.insufficient
    assert (found.draft.warning.precision, found.draft.warning.recall, found.draft.warning.lead_days) == (None,) * 3
    assert found.draft.skill.value("auc") is None


def test_a_draft_that_measures_something_else_is_counted_from_the_beginning():
    more = [*CONFIG.measures, CONFIG.measures[0].model_copy(update={"name": "again"})]
    draft = Config.model_validate({"measures": more, "scorecard": CONFIG.scorecard})
    found = _backtest(orders(40, 150), draft)
    assert found.looks == len(moments(told(CONFIG, orders(40, 150)), 7 * DAY))


def test_a_fall_is_told_once_until_it_is_over():
    """The rule of production, not one like it: no second alert while people believe that the customer is at risk."""
    found = _backtest(_steady_and_gone(), _strict(10))
    assert (
        found.draft.alerts
        == 1
        < found.all["thriving"]["at_risk"]
        + found.all["steady"]["at_risk"]
        + sum(found.all[band]["at_risk"] for band in ("watch", "at_risk", "left"))
    )


def test_a_card_of_a_segment_moves_that_segment_alone():
    """A replay weighs by the card that held for each customer then, from the moment its fact was told."""
    always = [{"when": {SILENCE: ">= 0"}, "cap": 20}]
    card = {"name": "gold", "when": {"plan": "gold"}, "dimensions": CONFIG.scorecard.dimensions, "limits": always}
    story = [
        (event("invoice.paid", MIDNIGHT + day * DAY + 1, id=f"{shop}-{day}", amount=10, currency="EUR"), shop)
        for day in range(0, 60, 3)
        for shop in ("gold", "plain")
    ]
    story.append((event("account.updated", MIDNIGHT + 30 * DAY, id="plan", properties={"plan": "gold"}), "gold"))
    draft = _draft(cards=[card])
    found = _backtest(story, draft)
    assert (found.changed, found.ever) == (1, 1)
    assert [(one.account, one.draft_band) for one in found.most] == [("gold", "at_risk")]
    assert [one.account for one in found.draft.only] == ["gold"]
    assert MIDNIGHT + 30 * DAY <= found.draft.only[0].at < MIDNIGHT + 37 * DAY


def test_what_a_person_set_holds_in_the_replay_as_it_did():
    story = _steady_and_gone(50)
    until = {"until": datetime.fromtimestamp(MIDNIGHT + 200 * DAY, UTC).isoformat(), "reason": "they told us"}
    by_hand = event(KIND, MIDNIGHT + 5 * DAY, id="hand", connection=OURS, value=90.0, properties=until)
    found = _backtest([*story, (by_hand, "stops")], _strict(10))
    assert (found.ever, found.draft.alerts) == (0, 0)
