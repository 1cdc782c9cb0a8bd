"""Who pays more: labels are what the events say, the model learns them online, and what it says adds up."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from hub import ConfigError
from hub.store import schema
from hub.store.bulk import insert_rows
from hub.streams.room import Record
from scoring.archive import Stale, forget
from scoring.clock import DAY
from scoring.config import Config
from scoring.features import feature_names
from scoring.growth import GROWS, GROWS_RAW
from scoring.learner import Learner
from scoring.learning import taught
from scoring.lessons import Lessons, Waiting
from scoring.model import decode, encode, fresh
from scoring.outcome import Expansion
from scoring.proof.growing import kept
from scoring.scorer import Scorer
from tests.scoring.judging import SCORECARD, judge
from tests.scoring.room import START, Room, event
from tests.scoring.test_fates import MEASURES, config, live, stands, story

MRR = {"measure": "mrr", "by": "20%"}
JUDGED = [
    {"name": "mrr", "family": "entities", "entity": "subscription", "read": "sum", "direction": "up"},
    {"name": "people", "family": "people", "kinds": ["session.started"], "direction": "up"},
    {"name": "tickets", "family": "count", "kinds": ["ticket.opened"], "half_life": "30d", "direction": "down"},
]
COMMON = {"dimension": "any", "label": "{n} of it"}


def asked(**more):
    card = SCORECARD | {
        "dimensions": [
            {"name": "a", "weight": 1, "measures": [{"measure": "people", "weight": 1, "high": 9, "low": 0}]}
        ],
        "expansion": MRR,
    }
    return Config.model_validate({"measures": [COMMON | one for one in JUDGED], "scorecard": card | more})


CONFIG = asked()
SILENT = asked(expansion=None)


def customers(rng, count):
    """Those of whom many people use it grow, whatever else there is; some pay nothing."""
    values = np.column_stack([rng.choice([0.0, 50, 200], count), rng.gamma(2, 4, count), rng.exponential(2, count)])
    chance = 1 / (1 + np.exp(4.0 - 0.3 * values[:, 1]))
    return values, rng.random(count) < chance, chance


def lessons(scorer, values, grown, start=0.0):
    """What they teach, each judged by this scorer."""
    scores = judge(scorer, values)
    names = feature_names(scores.names[: values.shape[1]])
    said = [{k: float(v[i]) for k, v in scores.predictions.items() if not math.isnan(v[i])} for i in range(len(values))]
    return [
        Lessons.of(
            ("mix", "scorecard", GROWS_RAW),
            said,
            [False] * len(values),
            [start + i for i in range(len(values))],
            names=names,
            features=scores.features.tolist(),
            grown=[bool(one) if pays > 0 else None for one, pays in zip(grown, values[:, 0], strict=True)],
        )
    ]


def learned(labels, seed=0, config=CONFIG):
    rng, model = np.random.default_rng(seed), fresh(config)
    for start in range(0, labels, 100):
        values, grown, _ = customers(rng, 100)
        model = taught(model, lessons(Scorer(config, model), values, grown, start), config)
    return model


# --- labels ---------------------------------------------------------------------------------------------------------


def grew(by, events, at, end):
    """The reckoning: whether it grew, None where nothing could."""
    was, now = stands(events, "mrr", at), stands(events, "mrr", end)
    return (now >= was * (1 + by) - 1e-3) if was > 0 else None


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("engine")
def test_labels_of_growth_are_what_the_events_say_and_wait_for_the_whole_horizon(tmp_path, seed):
    plain = config([{"cancelled": "account.deleted"}])
    declared = plain.model_copy(
        update={"scorecard": plain.scorecard.model_copy(update={"expansion": Expansion.model_validate(MRR)})}
    )
    room = Room(tmp_path, config=declared)
    found = live(room, story(seed + 50))
    room.close()
    whole = [one for one in found if not one[0].early]
    assert {label.expanded for label, _, _ in whole} >= {True, False}
    for label, now, heard in whole:
        assert now >= label.matured_at == label.at + 8 * DAY
        assert label.expanded == grew(0.2, heard, label.at, label.matured_at)
    assert all(label.expanded is None for label, _, _ in found if label.early)


@pytest.mark.usefixtures("engine")
def test_two_accounts_that_turn_out_to_be_one_have_not_grown(tmp_path):
    plain = config([{"cancelled": "account.deleted"}])
    declared = plain.model_copy(
        update={"scorecard": plain.scorecard.model_copy(update={"expansion": Expansion.model_validate(MRR)})}
    )
    room = Room(tmp_path, config=declared)

    def pays(whose, at):
        more = {"account": f"acme:customer:{whose}", "entity": f"acme:subscription:{whose}", "amount": 100}
        return event("subscription.started", at, id=f"s{whose}", currency="EUR", **more)

    room.take([pays(1, START)])
    room.take([pays(2, START)], "acc_2")
    room.pass_days(5)
    said = {"absorbed": "acc_2", "why": "told so"}
    room.take([event("account.merged", room.now, account="acc_1", connection="pulsehub", properties=said)])
    room.pass_days(10)
    assert {label.expanded for label in room.labels if label.account == "acc_1" and label.at < START + 5 * DAY} == {
        False
    }
    room.close()


@pytest.mark.usefixtures("engine")
def test_beyond_the_archives_reach_growth_is_held_against_what_was_put_on_record(tmp_path):
    plain = config([{"cancelled": "account.deleted"}])
    declared = plain.model_copy(
        update={"scorecard": plain.scorecard.model_copy(update={"expansion": Expansion.model_validate(MRR)})}
    )
    room = Room(tmp_path, config=declared)
    more = {"entity": "acme:subscription:1", "currency": "EUR"}
    room.take([event("subscription.started", START, id="s", amount=100, **more)])
    room.pass_days(5)
    rows = [row for (row,) in room.rows(select(schema.archive.c.row))]
    room.database.write(lambda connection: forget(connection, Stale(rows, []))).result()
    room.take([event("subscription.changed", room.now, id="c", amount=120, **more)])
    room.pass_days(12)
    assert {label.expanded for label in room.labels if label.at < START + 5 * DAY} == {True}
    assert {label.expanded for label in room.labels if label.at > START + 5 * DAY} == {False}
    room.close()


# --- the model --------------------------------------------------------------------------------------------------------


def test_it_finds_out_who_grows_and_its_chances_come_true():
    scorer = Scorer(CONFIG, learned(4_000))
    values, _, chance = customers(np.random.default_rng(99), 4_000)
    said = judge(scorer, values).predictions[GROWS]
    pays = values[:, 0] > 0
    assert np.isnan(said[~pays]).all()
    assert np.corrcoef(said[pays], chance[pays])[0, 1] > 0.9
    assert abs(said[pays].mean() - chance[pays].mean()) < 0.03


def test_before_there_are_labels_enough_nothing_is_said_and_what_would_be_said_is_put_on_record():
    scorer = Scorer(CONFIG, None)
    values, _, _ = customers(np.random.default_rng(1), 20)
    said = judge(scorer, values).predictions
    assert GROWS not in said
    assert np.isfinite(said[GROWS_RAW][values[:, 0] > 0]).all()
    outlook = scorer.outlook(values[:1], 6)
    assert (outlook.chance, outlook.usual, outlook.drivers, outlook.missing) == (None, None, [], 100)


def test_nobody_who_does_not_ask_pays_for_it():
    silent = Config.model_validate(
        CONFIG.model_dump() | {"scorecard": CONFIG.scorecard.model_dump() | {"expansion": None}}
    )
    model = learned(300, config=silent)
    assert model.growth is None
    scorer = Scorer(silent, model)
    assert scorer.outlook(np.ones((1, 3)), 6) is None
    assert not {GROWS, GROWS_RAW} & judge(scorer, np.ones((2, 3))).predictions.keys()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=3, max_size=3), st.integers(1, 8))
def test_usual_and_drivers_and_rest_are_the_chance(values, k):
    scorer = Scorer(CONFIG, MODEL)
    found = scorer.outlook(np.array([values]), k)
    if found.chance is None:
        assert not values[0] > 0.0
        return
    assert 0.0 < found.chance < 1.0
    total = 100.0 * found.usual + sum(driver.points for driver in found.drivers) + found.rest
    assert total == pytest.approx(100.0 * found.chance, abs=1e-9)
    assert len(found.drivers) <= k


MODEL = learned(600)


def test_drivers_are_in_words_strongest_first():
    found = Scorer(CONFIG, MODEL).outlook(np.array([[100.0, 40.0, 0.5]]), 6)
    assert found.drivers[0].name == "people"
    assert found.drivers[0].text == "40 of it"
    assert found.drivers[0].points > 0
    assert found.chance > found.usual


@pytest.mark.parametrize("cut", [1, 7, 64, 300])
def test_how_labels_arrive_changes_no_digit(cut):
    rng = np.random.default_rng(3)
    values, grown, _ = customers(rng, 300)
    (one,) = lessons(Scorer(CONFIG, None), values, grown)
    whole, model = taught(fresh(CONFIG), [one], CONFIG), fresh(CONFIG)
    for start in range(0, 300, cut):
        model = decode(encode(taught(model, [one[start : start + cut]], CONFIG)))
    assert encode(model) == encode(whole)


def test_whole_portions_one_after_the_other_teach_as_one_lesson_does():
    rng = np.random.default_rng(3)
    values, grown, _ = customers(rng, 256)
    (one,) = lessons(Scorer(CONFIG, None), values, grown)
    parts = [one[:64], one[64:64], one[64:192], one[192:]]
    assert encode(taught(fresh(CONFIG), parts, CONFIG)) == encode(taught(fresh(CONFIG), [one], CONFIG))


def test_a_model_of_before_anybody_asked_goes_on():
    old = msgspec.json.decode(encode(fresh(CONFIG)), type=dict)
    del old["growth"], old["waiting"]["grown"]
    model = decode(msgspec.json.encode(old).decode())
    values, grown, _ = customers(np.random.default_rng(3), 200)
    assert taught(model, lessons(Scorer(CONFIG, model), values, grown), CONFIG).growth.labels > 50
    assert Waiting().lessons() is None


@pytest.mark.parametrize("answer", [True, False])
def test_one_end_only_teaches_a_rate_and_is_not_listened_to(answer):
    values, _, _ = customers(np.random.default_rng(3), 300)
    model = taught(fresh(CONFIG), lessons(Scorer(CONFIG, None), values, [answer] * 300), CONFIG)
    assert GROWS not in judge(Scorer(CONFIG, model), values).predictions
    assert all(map(math.isfinite, model.growth.bayes.weights.values()))


def test_it_is_small():
    small, large = (len(msgspec.json.encode(one)) for one in (learned(600, config=SILENT), MODEL))
    assert large - small < 6_000


# --- the learner and what is declared ---------------------------------------------------------------------------------


def test_the_learner_keeps_each_label_of_growth_beside_the_chance_that_was_shown(database):
    told = {"account": "a", "at": 1.0, "matured_at": 2.0, "lost": False, "config_version": CONFIG.version}
    features = judge(Scorer(CONFIG, None), np.ones((1, 3))).features[0].tolist()
    labels = [
        told | {"features": features, "predictions": {"mix": 0.1, GROWS: 0.3, GROWS_RAW: 0.2}, "expanded": True},
        told | {"account": "b", "features": features, "predictions": {"mix": 0.1, GROWS_RAW: 0.2}, "expanded": False},
        told | {"account": "c", "features": features, "predictions": {"mix": 0.1}, "expanded": None},
    ]
    learner = Learner(database, CONFIG, lambda: 10.0)
    records = [Record(0, n, 0.0, b"k", msgspec.json.encode(label)) for n, label in enumerate([*labels, labels[0]])]

    def turn(connection):
        step = learner.step(connection, records)
        if step.write:
            step.write(connection)
        return step

    assert database.write(turn).result().duplicates == 1
    assert database.write(turn).result().duplicates == 4
    with database.read() as connection:
        rows = connection.execute(select(schema.expansions).order_by(schema.expansions.c.account)).all()
        said = connection.scalars(select(schema.labels.c.predictions)).all()
    assert rows == [("a", 1.0, 2.0, 1, 0.3), ("b", 1.0, 2.0, 0, None)]
    assert all("expansion" not in one for one in said)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"measure": "mrr", "by": 0}, "greater than 0"),
        ({"measure": "mrr", "by": "0%"}, "greater than 0"),
        ({"measure": "mrr", "by": float("nan")}, "by"),
        ({"measure": "mrr", "by": float("inf")}, "by"),
        ({"measure": "mrr", "by": "a lot"}, "valid number"),
        ({"measure": "revenue"}, "expansion: there is no measure revenue"),
        ({"measure": "people"}, "expansion: people moves as time passes"),
        ({"measure": "mrr", "base_rate": 1}, "less than 1"),
    ],
)
def test_what_makes_no_sense_is_refused(said, why):
    with pytest.raises((ValueError, ConfigError), match=why):
        asked(expansion=said)


def test_an_outcome_and_an_expansion_may_name_the_same_measure():
    both = config([{"contraction": "mrr", "by": "20%"}])
    card = both.scorecard.model_dump() | {"expansion": MRR}
    declared = Config.model_validate({"measures": both.measures, "scorecard": card})
    assert Scorer(declared, None).outlook(np.ones((1, len(MEASURES))), 3).measure == "mrr"


# --- how well it is foretold ------------------------------------------------------------------------------------------


def _kept(database, rows):
    database.write(lambda connection: insert_rows(connection, insert(schema.expansions), rows)).result()
    with database.read() as connection:
        return kept(connection, CONFIG.scorecard.expansion, 20)


def test_chances_that_were_shown_are_judged_by_what_became_of_them(database):
    rng = np.random.default_rng(0)
    chance = rng.random(400) * 0.6
    rows = [(f"a{i % 80}", float(i), i + 60.0, int(rng.random() < p), float(p)) for i, p in enumerate(chance)]
    never = [(f"b{i}", 1.0, 61.0, 0, None) for i in range(100)]
    found = _kept(database, rows + never)
    assert (found.labels, found.skill.labels) == (500, 400)
    assert found.usual == pytest.approx(sum(row[3] for row in rows) / 500)
    figure = found.skill.figures["auc"]
    assert 0.6 < figure.low < figure.value < figure.high < 0.9
    assert found.skill.value("ece") < 0.08


def test_before_there_are_labels_enough_no_figure_is_given(database):
    found = _kept(database, [("a", float(i), i + 60.0, int(i < 5), 0.1) for i in range(300)])
    assert found.labels == 300
    assert found.skill.value("auc") is None
    assert _nothing(database)


def _nothing(database):
    with database.read() as connection:
        return kept(connection, None) is None
