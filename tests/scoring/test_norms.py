"""Percentiles within a segment: what is usual is computed in the background, and every score says by which of it."""

from __future__ import annotations

import time

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select

from hub.store import schema
from scoring import norming
from scoring.clock import DAY
from scoring.config import Config
from scoring.drafts import moves
from scoring.learner import Learner
from scoring.loading import load
from scoring.model import decode, encode, fresh, newest
from scoring.norms import ALL, FEW, Norms, compared, grid, grids, peers, percentiles, said
from scoring.proof.prequential import play
from scoring.scorer import Scorer
from tests.proof.past import MIDNIGHT, orders, told
from tests.proof.past import config as past_config
from tests.scoring.judging import any_values, config, judge
from tests.scoring.room import START, Room, event


def ranked(measure, **more):
    return [{"name": "d", "weight": 1, "measures": [{"measure": measure, "weight": 1, "kind": "percentile"} | more]}]


CARDS = [{"name": "big", "when": {"plan": "big"}, "dimensions": ranked("logins")}]
OURS = config(cards=CARDS, dimensions=ranked("logins"))


def transform(ours=OURS, card=None):
    dimensions = ours.scorecard.dimensions if card is None else ours.scorecard.cards[card].dimensions
    return dimensions[0].measures[0]


def normed(ours, values, cards):
    model = fresh(ours)
    model.version, many = 7, len(values)
    model.norms = Norms(3, 1.0, 1.0, ours.version, many, many, grids(ours, values, cards))
    return model


def column(logins):
    """Customers of whom nothing else is known."""
    values = np.full((len(logins), 4), np.nan)
    values[:, 0] = logins
    return values


def health(model, logins, code, ours=OURS):
    n = len(logins)
    codes = np.full(n, code, np.int8)
    return Scorer(ours, model).score(column(logins), np.full(n, np.nan), np.full(n, -1, np.int8), None, codes)


# --- the number ------------------------------------------------------------------------------------------------

samples = st.lists(
    st.one_of(st.integers(0, 5).map(float), st.floats(-1e6, 1e6, width=32), st.just(float("nan"))),
    min_size=FEW,
    max_size=400,
)


def exact(known, value):
    """The share of customers below, those who are level counted half."""
    return ((known < value).mean() + (known <= value).mean()) / 2.0


@settings(deadline=None, max_examples=200)
@given(samples, st.integers(0, 399))
def test_a_percentile_is_within_a_point_of_the_grid_of_the_exact_one(sample, which):
    values = np.array(sample, np.float32).astype(np.float64)
    known = values[~np.isnan(values)]
    one = grid(values)
    if len(known) < FEW:
        assert one is None
        return
    value = known[which % len(known)]
    found = percentiles(one.quantiles, np.array([value]))[0]
    assert abs(found - exact(known, value)) <= 0.01 + 0.5 / len(known) + 1e-9


@settings(deadline=None)
@given(samples, st.lists(st.floats(-1e300, 1e300) | st.sampled_from([float("inf"), float("-inf")]), max_size=30))
def test_more_never_ranks_lower_and_nothing_leaves_0_to_1(sample, asked):
    one = grid(np.nan_to_num(np.array(sample)))
    shares = percentiles(one.quantiles, np.sort(np.array(asked)))
    assert (np.diff(shares) >= 0.0).all()
    assert ((shares >= 0.0) & (shares <= 1.0)).all()


def test_level_customers_share_their_middle():
    assert percentiles(grid(np.full(100, 4.0)).quantiles, np.array([3.0, 4.0, 5.0, np.nan])).tolist()[:3] == [0, 0.5, 1]
    mostly_none = grid(np.repeat([0.0, 1.0], [700, 300]))
    assert percentiles(mostly_none.quantiles, np.array([0.0, 1.0])) == pytest.approx([0.35, 0.85], abs=0.01)
    assert np.isnan(percentiles(mostly_none.quantiles, np.array([np.nan]))[0])


def test_numbers_that_are_none_and_absurd_ones_are_no_peers():
    absurd = np.array([np.nan, np.inf, -np.inf, 1e300] * 50)
    assert grid(absurd) is None
    one = grid(np.concatenate([absurd, np.arange(50.0)]))
    assert one.members == 50
    assert np.isfinite(one.quantiles).all()


def test_a_million_values_of_a_category_take_as_much_room_as_twenty():
    chance = np.random.default_rng(0)
    began = time.process_time()
    one = grid(chance.lognormal(0, 3, 1_000_000))
    assert time.process_time() - began < 5.0
    assert len(one.points) == len(grid(np.arange(20.0)).points) == 404
    assert percentiles(one.quantiles, np.array([1.0]))[0] == pytest.approx(0.5, abs=0.01)


# --- in a card -------------------------------------------------------------------------------------------------


def half_and_half():
    """40 big customers with 50 to 89 logins, 60 others with 0 to 59."""
    logins = np.concatenate([np.arange(50.0, 90.0), np.arange(60.0)])
    return column(logins), np.repeat([0, -1], [40, 60]).astype(np.int8)


def test_customers_are_compared_within_their_segment():
    model = normed(OURS, *half_and_half())
    big, other = (health(model, [55.0], code).health[0] for code in (0, -1))
    assert big < 50.0
    assert other > 70.0
    assert health(model, [69.5], 0).health[0] == pytest.approx(70.0, abs=1.0)
    whole = config(cards=[{**CARDS[0], "dimensions": ranked("logins", among="all")}], dimensions=ranked("logins"))
    assert health(normed(whole, *half_and_half()), [55.0], 0, whole).health[0] > 60.0


def test_where_less_is_better_the_percentile_is_turned_round():
    ours = config(dimensions=ranked("silence"))
    values = np.full((100, 4), np.nan)
    values[:, 1] = np.arange(100.0)
    model = normed(ours, values, np.full(100, -1, np.int8))
    scores = judge(Scorer(ours, model), values)
    assert (np.diff(scores.health) < 0.0).all()


def test_a_segment_of_few_is_compared_with_everybody_and_where_there_are_few_at_all_everybody_is_neutral():
    values, cards = half_and_half()
    cards[5:40] = -1
    model = normed(OURS, values, cards)
    assert set(model.norms.grids["logins"]) == {ALL, ""}
    among = peers(model.norms, transform(card=0), "big")
    assert (among.segment, among.instead) == (ALL, True)
    assert health(model, [49.5], 0).health[0] == pytest.approx(70.0, abs=1.0)
    nobody = normed(OURS, values[:5], cards[:5])
    assert nobody.norms.grids == {}
    assert health(nobody, [0.0, 44.0, 1e9], 0).health.tolist() == pytest.approx([70.0] * 3)
    assert health(fresh(OURS), [0.0, 44.0], -1).health.tolist() == pytest.approx([70.0] * 2)


def test_words_say_among_whom_and_whether_it_is_for_want_of_others():
    model = normed(OURS, *half_and_half())
    mine, all_ = peers(model.norms, transform(card=0), "big"), peers(model.norms, transform(), "nowhere")
    assert said(mine, 57.5) == ", lower than 80 % of big"
    assert said(mine, 200.0) == ", higher than 100 % of big"
    assert said(all_, 200.0) == ", higher than 100 % of all customers (too few in its segment)"
    assert said(peers(model.norms, transform(), ""), 0.0) == ", lower than 99 % of those in no segment"
    assert said(None, 3.0) == ", too few customers to compare with"
    assert said(mine, float("nan")) == ""
    assert said(
        peers(normed(OURS, column([4.0] * 50), np.zeros(50, np.int8)).norms, transform(card=0), "big"), 4.0
    ) == (", like most of big")
    scorer = Scorer(OURS, model)
    scores = health(model, [57.5], 0)
    drivers, _ = scorer.say(column([57.5])[0].tolist(), scores.points[0].tolist(), 3, {}, 0)
    assert drivers[0].text == "58 logins a week, lower than 80 % of big"


@settings(deadline=None)
@given(any_values, st.data())
def test_drivers_sum_and_each_is_judged_as_it_is_alone(values, data):
    model = normed(OURS, *half_and_half())
    codes = np.array(data.draw(st.lists(st.integers(-1, 0), min_size=len(values), max_size=len(values))), np.int8)
    scorer, none, band = Scorer(OURS, model), np.full(len(values), np.nan), np.full(len(values), -1, np.int8)
    scores = scorer.score(values, none, band, None, codes)
    assert np.abs(scores.base + scores.points.sum(axis=1) - scores.health).max() < 1e-9
    for place in range(len(values)):
        one = slice(place, place + 1)
        alone = scorer.score(values[one], none[one], band[one], None, codes[one])
        assert alone.health[0] == pytest.approx(scores.health[place], abs=1e-9)


def test_an_unknown_number_counts_as_the_transform_says():
    values, _ = half_and_half()
    for missing, expected in (("worst", "<"), ("neutral", "="), ("best", ">")):
        ours = config(dimensions=ranked("logins", missing=missing))
        found = health(normed(ours, values, np.full(100, -1, np.int8)), [np.nan], -1, ours).health[0]
        assert {"<": found < 69.0, "=": found == pytest.approx(70.0), ">": found > 71.0}[expected]


def test_what_a_percentile_is_not_given_is_refused_and_older_files_keep_their_version():
    for wrong in ({"low": 1}, {"bands": [(0, 1)]}):
        with pytest.raises(ValidationError, match="a percentile takes no bounds"):
            config(dimensions=ranked("logins", **wrong))
    assert "among" not in load().body
    assert compared(load().scorecard) == {}
    assert compared(OURS.scorecard) == {"logins": {ALL, "big", ""}}


# --- published -------------------------------------------------------------------------------------------------


def carded():
    body = load().model_dump()
    body["scorecard"]["dimensions"] = ranked("active_days")
    body["scorecard"]["cards"] = [{"name": "big", "when": {"plan": "big"}, "dimensions": ranked("active_days")}]
    return Config.model_validate(body)


class Clock:
    def __init__(self, room):
        self.room = room

    def __call__(self):
        return self.room.now


def filled(room, many=45):
    """Customer n was there on n % 15 days of the last fortnight; those of two in three are big."""
    records = []
    for n in range(many):
        of = {"account": f"acme:customer:{n}"}
        plan = {"plan": "big" if n % 3 else "no"}
        told = [event("account.updated", room.now - 20 * DAY, id=f"f{n}", properties=plan, **of)]
        told += [event("usage.tracked", room.now - d * DAY, id=f"{n}-{d}", **of) for d in range(n % 15 + 1)]
        records += [room.record(f"acc_{n}", one) for one in told]
    room.records(records)


def ticked(room, learner):
    def run(connection):
        step = learner.tick(connection)
        if step is not None:
            step.write(connection)
        return step

    return room.database.write(run).result()


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path, config=carded())
    yield room
    room.close()


def test_the_learner_publishes_what_is_usual_and_every_score_names_the_version_that_says_so(room):
    learner = Learner(room.database, room.config, Clock(room))
    assert ticked(room, learner) is None  # nobody is there yet
    filled(room)
    assert ticked(room, learner) is not None
    with room.database.read() as connection:
        model = newest(connection)
    assert (model.version, model.norms.version, model.norms.accounts, model.norms.read) == (1, 1, 45, 45)
    assert {name: one.members for name, one in model.norms.grids["active_days"].items()} == {ALL: 45, "big": 30}
    assert decode(encode(model)) == model
    while room.tick() is not None:
        pass
    last = {one.account: one for one in room.healths}
    assert last["acc_14"].model_version == 1
    assert last["acc_14"].drivers[0].text.endswith(" of big")
    assert last["acc_14"].health > last["acc_2"].health
    alone = {one.account: one for one in room.healths}["acc_0"]
    assert alone.drivers[0].text.endswith(" of all customers")  # of whom no card fits there are 15
    assert ticked(room, learner) is None  # until a day has passed, or there are half as many more
    room.now += DAY
    assert ticked(room, learner) is not None
    assert [row.version for row in room.rows(select(schema.models.c.version).order_by("version"))] == [0, 1, 2]


def test_the_same_rows_give_the_same_norms_and_a_sample_is_near_all_of_them(room, monkeypatch):
    filled(room, 90)
    with room.database.read() as connection:
        first, second = (norming.made(connection, room.config, 1, room.now) for _ in range(2))
        assert msgspec.json.encode(first) == msgspec.json.encode(second)
        monkeypatch.setattr(norming, "MOST", 60)
        some = norming.made(connection, room.config, 1, room.now)
        assert msgspec.json.encode(some) == msgspec.json.encode(norming.made(connection, room.config, 1, room.now))
    assert (some.accounts, some.read) == (90, 60)
    whole, part = (one.grids["active_days"][ALL].quantiles for one in (first, some))
    bound = np.sqrt(np.log(2 / 0.05) / (2 * 60))
    asked = np.arange(16.0)
    assert np.abs(percentiles(whole, asked) - percentiles(part, asked)).max() < bound


def test_who_has_left_is_nobodys_peer(room):
    filled(room, 40)
    room.take([event("subscription.cancelled", room.now, id="gone", account="acme:customer:3")], account="acc_3")
    with room.database.read() as connection:
        assert norming.made(connection, room.config, 1, room.now).read == 39


def test_a_version_is_used_for_no_moment_before_its_norms(tmp_path):
    """In the time of events a score may know of nothing that came later, be it outcomes or what was usual."""
    room = Room(tmp_path, clock="event", config=carded())
    filled(room)
    learner = Learner(room.database, room.config, Clock(room))
    assert ticked(room, learner) is not None
    with room.database.read() as connection:
        model = newest(connection)
        room.rescore._scorers.refresh(room.rescore._scorers.ask(connection))
    assert model.through == model.norms.at >= START - DAY
    assert room.rescore._scorers.newest(model.through - 1.0) == 0
    assert room.rescore._scorers.newest(model.through) == 1
    room.close()


def test_a_draft_compares_by_what_is_usual_now_and_writes_nothing(tmp_path):
    room = Room(tmp_path)
    filled(room)
    with room.database.read() as connection:
        found = moves(connection, room.config, carded(), room.now)
        assert newest(connection) is None
    healths = {one.account: one.draft for one in found.most}
    assert found.accounts == 45
    assert max(healths.values()) - min(healths.values()) > 20.0
    room.close()


def test_a_replay_compares_with_who_was_there_then():
    """Cut the past off, and every prediction that was made before must stand to the last digit."""
    plain = past_config()
    body = plain.model_dump()
    for dimension in body["scorecard"]["dimensions"]:
        for one in dimension["measures"]:
            one.update(kind="percentile", low=None, high=None, bands=[])
    ours = Config.model_validate(body)
    assert compared(ours.scorecard)
    story = orders(80, 200)
    whole = play(told(ours, story), ours)
    until = MIDNIGHT + 120 * DAY
    cut = play(told(ours, [pair for pair in story if pair[0].occurred_at.timestamp() <= until]), ours)
    named = {one.at: one.said.tobytes() for one in whole.snapshots}
    checked = [one.at for one in cut.snapshots if one.at <= until]
    assert len(checked) >= 5
    assert all(named[one.at] == one.said.tobytes() for one in cut.snapshots if one.at <= until)
    assert whole.snapshots[5].said.tobytes() != play(told(plain, story), plain).snapshots[5].said.tobytes()
