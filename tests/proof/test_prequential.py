from __future__ import annotations

import numpy as np
import pytest

from scoring.clock import DAY
from scoring.config import Config
from scoring.lessons import MIX
from scoring.model import HAZARD, encode
from scoring.proof.prequential import CONTENDERS, play
from scoring.proof.report import document, report
from scoring.proof.rivals import Logistic, Rule
from tests.proof import contracts
from tests.proof.past import HORIZON, MIDNIGHT, config, orders, told
from tests.scoring.room import event

CONFIG = config()


def config_with_cards():
    body = CONFIG.model_dump()
    of = body["scorecard"]["dimensions"]
    body["scorecard"]["cards"] = [{"name": name, "when": {"plan": name}, "dimensions": of} for name in ("pro", "rare")]
    return Config.model_validate(body)


def _said(played):
    return [(one.at, one.accounts.tolist(), np.nan_to_num(one.said, nan=-1.0).tolist()) for one in played.snapshots]


def test_what_is_predicted_depends_on_nothing_that_came_later():
    """The classic leak: cut the past off, and every prediction that was made before must stand to the last digit."""
    story = orders(80, 220)
    whole = play(told(CONFIG, story), CONFIG)
    until = MIDNIGHT + 150 * DAY
    cut = play(told(CONFIG, [pair for pair in story if pair[0].occurred_at.timestamp() <= until]), CONFIG)
    named = {at: said for at, _, said in _said(whole)}
    checked = [at for at, _, said in _said(cut) if at <= until and named.get(at) == said]
    assert len(checked) == len([at for at, _, _ in _said(cut)]) >= 10


def test_a_label_teaches_only_when_its_whole_horizon_has_passed():
    """Whichever way it ended: were the lost taught at once, the first month of a replay would know of them."""
    played = play(told(CONFIG, orders(80, 220)), CONFIG)
    first = played.snapshots[0].at
    young = [one for one in played.snapshots if one.at < first + HORIZON]
    assert young
    place = CONTENDERS.index(MIX), CONTENDERS.index("scorecard")
    for one in young:
        assert one.said[:, place[0]] == pytest.approx(one.said[:, place[1]])
        assert not one.trusted


def test_the_same_past_gives_the_same_numbers():
    first, second = (play(told(CONFIG, orders(60, 200)), CONFIG) for _ in range(2))
    assert _said(first) == _said(second)
    assert encode(first.model) == encode(second.model)


def test_who_else_predicts_sees_the_labels_that_had_matured_and_no_other():
    class Watching:
        name = "watching"
        seen: list[int]

        def __init__(self):
            self.seen = []

        def train(self, features, lost):
            self.seen.append(len(lost))
            assert len(features) == len(lost)

        def predict(self, features):
            return np.full(len(features), 0.5)

    watching = Watching()
    played = play(told(CONFIG, orders(80, 220)), CONFIG, [watching])
    by_tick = [
        sum(len(b.lost) for b in played.snapshots if b.at + HORIZON <= a.at) for a in played.snapshots if a.trusted
    ]
    assert watching.seen[: len(by_tick)] == by_tick


def test_the_mix_beats_the_rule_in_a_world_where_each_has_its_own_pace():
    past = told(CONFIG, orders(400, 500))
    played = play(past, CONFIG, [Rule(0), Logistic()])
    found = report(played, past, CONFIG.scorecard.outcome, top=10, draws=50)
    assert found.mixture.value("auc") > found.baselines["rule"].value("auc")
    assert found.mixture.value("log_loss") < found.baselines["rule"].value("log_loss") - 0.01
    assert found.mixture.value("ece") < 0.06
    assert found.visits[MIX].precision > found.visits[MIX].usual
    assert found.state_bytes < 50 * 1024
    said = document(found)
    assert {"auc", "log_loss", "brier", "ece", "labels"} <= said["mixture"].keys()
    assert set(said["cpu_s"]) == {"replay", "mixture", "rule", "logistic_weekly"}
    low, high = said["mixture"]["interval_95"]["auc"]
    assert low < said["mixture"]["auc"] < high


def test_segments_are_judged_one_by_one_and_together_they_are_all():
    carded = config_with_cards()
    facts = [
        (event("account.updated", MIDNIGHT + DAY, id=f"fact-{n}", properties={"plan": "pro"}), f"shop-{n:03}")
        for n in range(150)
    ]
    facts.append((event("account.updated", MIDNIGHT + DAY, id="x", properties={"plan": "rare"}), "shop-199"))
    past = told(carded, [*orders(200, 300), *facts])
    played = play(past, carded)
    found = report(played, past, carded.scorecard.outcome, top=10, draws=5, cards=["pro", "rare"])
    assert list(found.segments) == ["pro", "rare", ""]
    assert sum(one.mixture.labels for one in found.segments.values()) == found.mixture.labels
    assert 0.5 < found.segments["pro"].experts["bayes"].value("auc") < 1.0
    said = document(found)["segments"]
    assert said["rare"]["mixture"]["insufficient_labels"] is True
    assert said["rare"]["mixture"]["auc"] is None
    assert said["pro"]["mixture"]["labels"] > said[""]["mixture"]["labels"] > said["rare"]["mixture"]["labels"]


def test_where_labels_do_not_suffice_no_number_is_given():
    past = told(CONFIG, orders(4, 60))
    said = document(report(play(past, CONFIG), past, CONFIG.scorecard.outcome, top=10, draws=50))
    assert said["mixture"]["auc"] is None
    assert said["mixture"]["insufficient_labels"] is True
    assert said["compared"] == 0


def test_one_customer_that_floods_moves_the_others_little():
    """A thousand orders a day of one shop are one shop's: its labels are one a week like everybody's."""
    story = orders(120, 250)
    flood = [
        (event("invoice.paid", MIDNIGHT + 100 * DAY + n * 60, id=f"flood-{n}", amount=1e9, currency="EUR"), "flood")
        for n in range(3_000)
    ]
    calm, flooded = (play(told(CONFIG, one), CONFIG) for one in (story, [*story, *flood]))
    for one, other in zip(calm.snapshots, flooded.snapshots, strict=False):
        those = np.flatnonzero(np.isin(other.accounts, one.accounts))
        assert np.abs(other.said[those, CONTENDERS.index(MIX)] - one.said[:, CONTENDERS.index(MIX)]).mean() < 0.05


def test_where_contracts_end_on_a_day_the_hazard_wins_and_the_mix_gains():
    dated, undated = contracts.config(), contracts.config(dated=False)
    story = contracts.contracts()
    played, without = (play(told(one, story), one) for one in (dated, undated))
    found, plain = (
        report(one, told(of, story), of.scorecard.outcome, top=10, draws=0)
        for one, of in ((played, dated), (without, undated))
    )
    losses = {name: one.value("log_loss") for name, one in found.experts.items()}
    assert min(losses, key=losses.get) == HAZARD == max(found.weights, key=found.weights.get)
    assert losses[HAZARD] < min(loss for name, loss in losses.items() if name != HAZARD) - 0.02
    assert found.mixture.value("log_loss") < plain.mixture.value("log_loss") - 0.04
    assert found.mixture.value("auc") > plain.mixture.value("auc") + 0.15
    assert found.mixture.value("ece") < 0.05
    assert HAZARD not in plain.experts
    assert document(found)["experts"][HAZARD]["labels"] == found.compared
