"""`evaluate` on a file of contracts: what it is worth to measure when they end."""

import csv
import json
from datetime import datetime, timedelta

import pytest
import yaml

from tests.e2e.kit import pulsehub
from tests.proof import contracts

MAP = """
connection: crm
events:
  - when: {what: session.started}
    kind: session.started
    account: "crm:customer:{who}"
    occurred_at: when
  - when: {what: subscription.cancelled}
    kind: subscription.cancelled
    account: "crm:customer:{who}"
    occurred_at: when
  - when: {what: contract.renewed}
    kind: contract.renewed
    account: "crm:customer:{who}"
    occurred_at: when
    properties: {renewal_on: "{renews}"}
  - when: {what: account.updated}
    kind: account.updated
    account: "crm:customer:{who}"
    occurred_at: when
    properties: {renewal_on: "{renews}"}
"""


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contracts")
    with (folder / "events.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["who", "when", "what", "renews"])
        for one, account in contracts.contracts():
            said = one.properties.get("renewal_on", "")
            renews = _past(datetime.fromisoformat(said)) if said else ""
            rows.writerow([account, _past(one.occurred_at), one.kind, renews])
    (folder / "map.yaml").write_text(MAP)
    for name, dated in (("dated", True), ("undated", False)):
        body = contracts.config(dated=dated).model_dump(mode="json")
        (folder / name).mkdir()
        (folder / name / "measures.yaml").write_text(yaml.safe_dump(body["measures"]))
        (folder / name / "scorecard.yaml").write_text(yaml.safe_dump(body["scorecard"]))
    return folder


def _past(at):
    """What has not happened yet is no past."""
    return (at - timedelta(days=1_461)).isoformat()


def _judged(past, scoring):
    ended = pulsehub(
        past / "data", "evaluate", past / "events.csv", "--map", past / "map.yaml",
        "--scoring", past / scoring, "--tick", "7d", "--draws", "100", "--no-rivals", "--json",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_to_know_when_a_contract_ends_is_worth_more_than_chance_would_have_it(past):
    dated, undated = _judged(past, "dated"), _judged(past, "undated")
    assert dated["compared"] == undated["compared"] > 5_000
    assert "renewal_hazard" not in undated["experts"]
    hazard, mix = dated["experts"]["renewal_hazard"], dated["mixture"]
    assert max(dated["weights"], key=dated["weights"].get) == "renewal_hazard"
    assert min(dated["experts"].values(), key=lambda one: one["log_loss"]) == hazard
    assert mix["interval_95"]["auc"][0] > undated["mixture"]["interval_95"]["auc"][1]
    assert mix["log_loss"] < undated["mixture"]["log_loss"] - 0.04
    assert mix["ece"] < 0.05
