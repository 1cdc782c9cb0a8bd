"""`evaluate`: what a file of the past proves, right and wrong."""

import csv
import json
from importlib import import_module

import pytest

from tests.e2e.kit import pulsehub
from tests.proof.past import orders

MAP = """
connection: shop
events:
  - kind: invoice.paid
    account: "shop:customer:{who}"
    occurred_at: when
    amount: sum
    currency: EUR
"""
ASKED = ("--lost-after", "28d", "--tick", "7d", "--draws", "20")


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    folder = tmp_path_factory.mktemp("past")
    with (folder / "orders.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["who", "when", "sum"])
        rows.writerows([account, one.occurred_at.isoformat(), "10.00"] for one, account in orders(80, 250))
    (folder / "map.yaml").write_text(MAP)
    return folder


def _evaluate(past, data, *more, status=0, file="orders.csv"):
    ended = pulsehub(data, "evaluate", past / file, "--map", past / "map.yaml", *more)
    assert ended.returncode == status, ended.stderr
    return ended


def can_boost():
    """LightGBM needs a library of the system's."""
    try:
        import_module("lightgbm")
    except (ImportError, OSError):
        return False
    return True


def test_every_expert_stands_beside_the_mix_and_who_else_predicts(past, tmp_path):
    told = json.loads(_evaluate(past, tmp_path / "data", *ASKED, "--json").stdout)
    assert {"auc", "log_loss", "brier", "ece", "labels"} <= told["mixture"].keys()
    assert {"scorecard", "recency", "sgd", "adagrad", "bayes", "bg_nbd", "proxy"} <= told["experts"].keys()
    trees = {"gradient_boosting_weekly"} if can_boost() else set()
    assert set(told["baselines"]) == {"rule", "logistic_weekly"} | trees
    assert told["mixture"]["labels"] == told["baselines"]["rule"]["labels"]
    assert told["cpu_s"]["mixture"] > 0
    assert not (tmp_path / "data").exists()  # it only looks


def test_rows_that_are_not_judged_are_counted_with_the_reason(past, tmp_path):
    rows = (past / "orders.csv").read_text() + "c1,2999-01-01T00:00:00+00:00,10.00\nc1,never,10.00\n"
    (past / "more.csv").write_text(rows)
    ended = _evaluate(past, tmp_path / "data", *ASKED, "--no-rivals", "--json", file="more.csv")
    told = json.loads(ended.stdout)["rows"]
    assert (told["rejected"], sum(told["reasons"].values())) == (2, 2)
    assert f"1 of {told['read']:,} rows are left out: occurred_at is more than a day" in " ".join(ended.stderr.split())


def test_people_get_a_table(past, tmp_path):
    said = _evaluate(past, tmp_path / "data", *ASKED, "--no-rivals").stdout
    assert "what would have been shown" in said
    assert "lost: no invoice.paid within 28 days" in said
    assert "gradient boosting" not in said


def test_measures_of_ones_own_are_judged(past, tmp_path):
    folder = tmp_path / "scoring"
    folder.mkdir()
    (folder / "measures.yaml").write_text(
        '[{name: silence, family: recency, kinds: [invoice.paid], dimension: any, label: "{n}", direction: down}]'
    )
    (folder / "scorecard.yaml").write_text(
        "dimensions: [{name: any, weight: 1, measures: [{measure: silence, weight: 1, low: 60, high: 0}]}]\n"
        "outcome: {kinds: [invoice.paid], silence: true, horizon: 28d, every: 7d}"
    )
    told = json.loads(
        _evaluate(past, tmp_path / "data", "--scoring", folder, "--draws", "0", "--no-rivals", "--json").stdout
    )
    assert told["experts"]["bg_nbd"]["auc"] is not None
    assert told["mixture"]["interval_95"] == {}


BILLING = """
connection: billing
events:
  - {kind: subscription.changed, when: {what: pays}, account: "billing:customer:{who}", occurred_at: when,
     entity: "billing:subscription:{who}", amount: sum, currency: EUR}
  - {kind: contract.renewed, when: {what: renews}, account: "billing:customer:{who}", occurred_at: when,
     properties: {renewal_on: "{sum}"}}
"""


def test_contracts_that_are_not_renewed_and_customers_who_pay_less_are_lost_where_that_is_said(tmp_path):
    (tmp_path / "map.yaml").write_text(BILLING)
    with (tmp_path / "billing.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["who", "what", "when", "sum"])
        for who in range(60):
            for month in range(1, 13):
                pays = 100 if who % 3 or month < 7 else 75
                pays = round(100 * 1.15**month) if who % 5 == 0 else pays
                rows.writerow([who, "pays", f"2025-{month:02}-{1 + who % 9:02}T10:00:00Z", pays])
            rows.writerow([who, "renews", "2025-01-02T10:00:00Z", "2025-08-01" if who % 4 == 1 else "2026-08-01"])
    ways = ("--lost-when", "not_renewed=renewal:10d", "--lost-when", "contraction=mrr:20%")
    asked = ("--within", "28d", *ways, "--draws", "0", "--no-rivals", "--kinds", "subscription.changed")
    asked += ("--expansion", "mrr:10%")
    said = _evaluate(tmp_path, tmp_path / "data", *asked, file="billing.csv").stdout
    assert "lost: contract not renewed within 10 days of its end (renewal), or mrr down by more than 20 %" in " ".join(
        said.split()
    )
    told = json.loads(_evaluate(tmp_path, tmp_path / "data", *asked, "--json", file="billing.csv").stdout)
    assert 0.01 < told["lost"] < 0.3
    assert told["experts"]["bayes"]["auc"] is not None
    assert "mrr up by 10 % or more within 28 days" in said
    assert 0.01 < told["expansion"]["usual"] < 0.3
    assert told["expansion"]["auc"] > 0.6
    assert told["expansion"]["labels"] < told["labels"]
    assert "expansion" not in told["experts"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "--lost-after 60d"),
        (("--lost-after", "soon"), "--lost-after soon is no time"),
        (("--lost-after", "28d", "--tick", "1m"), "make it longer"),
        (("--lost-after", "28d", "--tick", "forever"), "--tick forever is no time"),
        (("--lost-after", "28d", "--top", "0"), "--top"),
        (("--within", "28d"), "--lost-when"),
        (("--lost-when", "cancelled=refund.issued"), "--within"),
        (("--within", "28d", "--lost-when", "moved=away"), "write cancelled=KIND"),
        (("--lost-after", "28d", "--expansion", "mrr:none"), "--expansion mrr:none: write MEASURE:10%"),
        (("--lost-after", "28d", "--expansion", "mrr:10%"), "expansion: there is no measure mrr"),
        (("--within", "28d", "--lost-when", "contraction=mrr"), "--lost-when, contraction.by: Field required"),
        (("--within", "28d", "--lost-when", "contraction=mrr:100%"), "--lost-when, contraction.by: Input should be"),
        (("--within", "28d", "--lost-when", "contraction=mrr:20%"), "there is no measure mrr"),
        (
            ("--within", "28d", "--lost-when", "not_renewed=silence:1d"),
            "silence is no date until which a contract runs",
        ),
        (("--within", "28d", "--lost-when", "not_renewed=silence:29d"), "a grace longer than the horizon"),
        (
            ("--lost-after", "29d", "--within", "28d", "--lost-when", "cancelled=refund.issued"),
            "longer than the horizon",
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(past, tmp_path, more, said):
    ended = _evaluate(past, tmp_path / "data", *more, status=2)
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_file_of_which_the_map_makes_nothing_is_said_to_be_empty(past, tmp_path):
    (past / "empty.csv").write_text("who,when,sum\n")
    ended = _evaluate(past, tmp_path / "data", *ASKED, status=2, file="empty.csv")
    assert "has no events" in ended.stderr
