"""The track record: the figures are the judged ones, the visits are those one would have made."""

import json

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from hub.store import schema
from hub.store.database import Database
from scoring.lessons import MIX
from scoring.model import Missing
from scoring.proof.growing import Growing
from scoring.proof.losses import Ends, ends
from scoring.proof.model_card import card, document
from scoring.proof.quality import quality
from scoring.proof.record import record, share_between
from scoring.proof.skill import FIGURES, Figure, Skill
from scoring.proof.visiting import visits
from tests.engines import url
from tests.scoring.judging import config

DAY = 86_400.0
WEEK = 7 * DAY
CONFIG = config()


def _labels(n, weeks, seed=0, *, heard=True):
    """Customers by week, with what was said of each and what became of it."""
    rng, rows = np.random.default_rng(seed), []
    for account in range(n):
        truth = rng.normal()
        for week in range(weeks):
            mix = float(1 / (1 + np.exp(1 - truth - 0.3 * rng.normal())))
            said = {"mix": mix, "scorecard": float(rng.random()) if heard else mix, "bayes": mix * 0.9}
            lost = int(rng.random() < 1 / (1 + np.exp(1 - truth)))
            at = week * WEEK + account
            rows.append({"account": f"acc_{account}", "at": at, "matured_at": at + 60 * DAY, "lost": lost, "taught": 1}
                        | {"predictions": json.dumps(said), "segment": "big" if account % 2 else ""})  # fmt: skip
    return rows


def _told(tmp_path, rows, then=lambda connection: None, **more):
    with Database(url(tmp_path)) as database:
        database.write(lambda c: [c.execute(insert(schema.labels), rows) if rows else None, then(c)]).result()
        with database.read() as connection:
            return record(connection, CONFIG, 400 * DAY, **more), quality(connection)


@pytest.mark.usefixtures("engine")
def test_its_figures_are_those_of_the_judgment(tmp_path):
    found, judged = _told(tmp_path, _labels(40, 8))
    assert found.quality == judged
    assert found.listened
    assert [one.name for one in found.experts] == [skill.name for skill in judged.heard]
    for one, skill in zip(found.experts, judged.heard, strict=True):
        assert one.labels == skill.labels
        assert one.auc.value == pytest.approx(skill.auc)
        assert (one.auc.low, one.auc.high) == pytest.approx((skill.low, skill.high))
        assert one.weekly.value == pytest.approx(skill.weekly)
        assert one.log_loss.value == pytest.approx(skill.log_loss)
        assert one.brier.value == pytest.approx(skill.brier)
        assert one.ece == pytest.approx(sum(b.labels * abs(b.predicted - b.lost) for b in skill.bins) / skill.labels)
    bins = next(skill.bins for skill in judged.heard if skill.name == MIX)
    assert [(g.said, g.came, g.labels) for g in found.curve] == [(b.predicted, b.lost, b.labels) for b in bins]
    assert all(0.0 <= g.low <= g.came <= g.high <= 1.0 for g in found.curve)


@pytest.mark.usefixtures("engine")
def test_without_outcomes_it_gives_no_number_and_says_how_many_are_missing(tmp_path):
    found, _ = _told(tmp_path, [])
    assert (found.experts, found.curve, found.visits, found.months, found.mix) == ([], [], [], [], None)
    assert found.missing == Missing(100, 10, 10)
    assert "needs 100 more outcomes" in card(found, CONFIG, "0")


@pytest.mark.usefixtures("engine")
def test_a_few_outcomes_are_not_judged_and_nor_is_a_month_with_few(tmp_path):
    few, _ = _told(tmp_path, _labels(9, 8))
    assert few.experts == []
    assert few.missing.labels == 28
    assert document(few)["missing"] == {"labels": 28, "lost": 0, "kept": 0}
    assert all(one.weekly is None for one in few.months)


@pytest.mark.usefixtures("engine")
def test_where_only_the_scorecard_spoke_all_outcomes_are_judged_and_it_says_so(tmp_path):
    found, judged = _told(tmp_path, _labels(40, 8, heard=False))
    assert not found.listened
    assert found.mix.labels == judged.labels == 320
    assert "all there are: the scorecard's predictions" in card(found, CONFIG, "0")


@pytest.mark.usefixtures("engine")
def test_every_figure_of_the_model_card_is_one_of_the_judgment(tmp_path):
    found, judged = _told(tmp_path, _labels(40, 8))
    told = card(found, CONFIG, "9.9")
    rows = {cells[0]: cells[1:] for cells in _rows(told) if len(cells) == 7}
    for skill in judged.heard:
        labels, auc, weekly, log_loss, brier, _ = rows[skill.name]
        assert labels == f"{skill.labels:,}"
        assert auc == f"{skill.auc:.3f} ({skill.low:.3f}–{skill.high:.3f})"
        assert weekly.startswith(f"{skill.weekly:.3f} (")
        assert log_loss.startswith(f"{skill.log_loss:.3f} (")
        assert brier.startswith(f"{skill.brier:.3f} (")
    assert f"{judged.gain:+.3f} ({judged.gain_low:+.3f} to {judged.gain_high:+.3f})" in told
    assert f"{judged.heard[0].labels:,} of {judged.accounts:,} customers" in told
    for chapter in ("Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data",
                    "Quantitative analyses", "Ethical considerations, caveats and recommendations"):  # fmt: skip
        assert f"\n## {chapter}\n" in told
    assert "Pulsehub 9.9" in told
    big = next(skill for skill in judged.segments[0].skills if skill.name == MIX)
    (row,) = [cells for cells in _rows(told) if cells[0] == "big"]
    assert row[3].startswith(f"AUC {big.auc:.3f} ({big.low:.3f}–{big.high:.3f}), log loss {big.log_loss:.3f}")
    assert CONFIG.version in told


@pytest.mark.usefixtures("engine")
def test_the_model_card_says_how_well_it_foresees_who_pays_more(tmp_path):
    found, _ = _told(tmp_path, _labels(40, 8))
    few = Skill(labels=12, accounts=5, lost=3, figures=dict.fromkeys(FIGURES, Figure(None)), curve=[])
    grows = Growing(measure="mrr", by=0.1, labels=90, usual=0.2, skill=few)
    told = card(msgspec.structs.replace(found, expansion=grows), CONFIG, "0")
    assert "### Who pays more" in told
    assert "insufficient labels. 90 outcomes came due, 12 of them predicted" in told
    figures = {name: Figure(0.1 * place, 0.05 * place, 0.2 * place) for place, name in enumerate(FIGURES, 1)}
    enough = msgspec.structs.replace(few, labels=1_200, figures=figures)
    told = card(msgspec.structs.replace(found, expansion=msgspec.structs.replace(grows, skill=enough)), CONFIG, "0")
    assert ["1,200", *(_of(figures[name]) for name in ("auc", "log_loss", "brier", "ece")), "20.0%"] in _rows(told)


def _of(figure):
    return f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})"


def _rows(told):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in told.splitlines() if line[:1] == "|"]


@pytest.mark.usefixtures("engine")
def test_months_are_those_of_the_predictions(tmp_path):
    found, _ = _told(tmp_path, _labels(60, 9))
    assert [one.labels for one in found.months] == [300, 240]  # weeks 0 to 4 begin in January 1970
    assert sum(one.lost for one in found.months) == found.quality.lost
    assert all(one.weekly.low <= one.weekly.value <= one.weekly.high for one in found.months)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40))
def test_the_interval_of_a_share_holds_it_and_stays_a_share(labels):
    who = np.unique([w for w, _ in labels], return_inverse=True)[1]
    lost = np.array([x for _, x in labels])
    low, high = share_between(lost, who)
    assert 0.0 <= low <= lost.mean() <= high <= 1.0
    assert low < high


def test_the_interval_of_a_share_holds_the_truth_about_as_often_as_it_says():
    rng, held = np.random.default_rng(5), 0
    for _ in range(400):
        own = rng.beta(2, 6, 60)  # customers differ, and each is asked four times
        who = np.repeat(np.arange(60), 4)
        low, high = share_between(rng.random(240) < own[who], who)
        held += low <= 0.25 <= high
    assert 0.91 <= held / 400 <= 0.99


def test_repeating_every_outcome_of_a_customer_makes_nothing_surer():
    rng = np.random.default_rng(6)
    lost, who = rng.random(80) < 0.3, np.arange(80)
    assert share_between(np.tile(lost, 5), np.tile(who, 5)) == pytest.approx(share_between(lost, who))


def test_visits_are_the_likeliest_of_each_look_who_are_not_lost_already():
    chances = np.array([0.9, 0.8, 0.1, 0.2, 0.7, 0.99])
    who, at = np.array([0, 1, 2, 0, 1, 3]), np.array([0, 1, 2, 7, 8, 9]) * DAY
    over = Ends(
        at=np.array([20, np.inf, np.inf, 20, 30, np.nan]) * DAY,
        already=np.array([False, False, False, False, False, True]),
        lost=np.array([True, False, False, True, True, True]),
    )
    found = visits(chances, who, at, over, every=WEEK, top=1)
    assert (found.looks, found.visited, found.customers) == (2, 2, 2)
    assert found.precision == 1.0  # the first look visits 0, the second 1
    assert found.usual == 3 / 5
    assert (found.losses, found.found, found.lead_days) == (2, 1.0, 21.0)
    assert (
        visits(chances, who, at, over, every=WEEK, top=9).precision == found.usual
    )  # whoever visits all finds what is usual


def test_a_loss_whose_day_nobody_knows_any_more_counts_and_has_no_lead():
    unknown = Ends(np.full(2, np.nan), np.zeros(2, bool), np.ones(2, bool))
    found = visits(np.array([0.9, 0.8]), np.array([0, 0]), np.array([1, 8]) * DAY, unknown, every=WEEK, top=1)
    assert (found.losses, found.found, found.lead_days) == (1, 1.0, None)


def test_of_nobody_nothing_is_said():
    none = np.zeros(0)
    found = visits(none, none.astype(int), none, Ends(none, none.astype(bool), none.astype(bool)), every=WEEK, top=5)
    assert (found.visited, found.precision, found.usual, found.found, found.lead_days) == (0, None, None, None, None)


def _archived(connection, events, merges=()):
    for account, at, kind in events:
        connection.execute(insert(schema.archive).values(
            account=account, occurred_at=at * DAY, received_at=at * DAY, kind=kind, connection="x",
            event=f"{account}{at}{kind}", body=b"{}"))  # fmt: skip
    for absorbed, survivor in merges:
        connection.execute(insert(schema.merges).values(absorbed=absorbed, survivor=survivor, at=0.0, why="test"))


@pytest.mark.usefixtures("engine")
def test_an_event_ends_a_customer_when_it_happened_also_if_it_came_to_one_that_was_merged(tmp_path):
    outcome = CONFIG.scorecard.outcome.model_copy(update={"kinds": ["gone"], "silence": False, "horizon": 60 * DAY})
    with Database(url(tmp_path)) as database:
        events = [("a", 5, "gone"), ("a", 40, "gone"), ("a", 41, "else"), ("old", 12, "gone"), ("c", 90, "gone")]
        database.write(lambda c: _archived(c, events, [("old", "b")])).result()
        with database.read() as connection:
            found = ends(connection, outcome, np.array(["a", "a", "b", "c", "a"]), np.array([1, 10, 1, 1, 50]) * DAY,
                         np.array([True, True, True, True, False]))  # fmt: skip
    np.testing.assert_equal(found.at / DAY, [5, 40, 12, np.nan, np.inf])
    assert not found.already.any()


@pytest.mark.usefixtures("engine")
def test_silence_ends_a_customer_a_horizon_after_its_last_sign(tmp_path):
    outcome = CONFIG.scorecard.outcome.model_copy(update={"kinds": ["seen"], "silence": True, "horizon": 30 * DAY})
    with Database(url(tmp_path)) as database:
        database.write(lambda c: _archived(c, [("a", 5, "seen"), ("a", 9, "seen"), ("b", 90, "seen")])).result()
        with database.read() as connection:
            found = ends(connection, outcome, np.array(["a", "a", "b"]), np.array([10, 39, 60]) * DAY,
                         np.array([True, True, False]))  # fmt: skip
    np.testing.assert_equal(found.at / DAY, [39, 39, np.inf])
    assert found.already.tolist() == [False, True, True]
