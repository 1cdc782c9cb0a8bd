"""Dashboard, alerts and autoscaler ask only for metrics that there are; the dashboard shows all of them."""

import json
import re

import pytest
import yaml

from hub import metrics
from tests.deploy.files import DEPLOY

DASHBOARD = json.loads((DEPLOY / "grafana" / "pulsehub.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
DESCRIBED = {one.name: one for one in metrics.described()}
SERIES = {
    name + suffix: one
    for name, one in DESCRIBED.items()
    for suffix in (("_bucket", "_count", "_sum") if one.kind == "histogram" else ("",))
}
PANELS = [one for one in DASHBOARD["panels"] if one["type"] != "row"]
ASKED = {f"{panel['title']}: {target['expr']}": target["expr"] for panel in PANELS for target in panel["targets"]}
ASKED |= {rule["alert"]: rule["expr"] for rule in RULES}
SCALING = re.search(r"query: (.*)", (DEPLOY / "kubernetes" / "scaling.yaml").read_text())[1]
ASKED["scaling.yaml"] = SCALING


@pytest.mark.parametrize("expression", ASKED.values(), ids=ASKED)
def test_every_metric_and_label_that_is_asked_for_is_there(expression):
    named = re.findall(r"(pulsehub_\w+)(?:\{([^}]*)\})?", expression)
    assert {name for name, _ in named} - SERIES.keys() == set()
    for name, matched in named:
        for label in re.findall(r"(\w+)\s*(?:=~|!=|=)", matched):
            assert label in (*SERIES[name].labels, "job", "instance"), f"{name} has no label {label}"
    there = {label for name, _ in named for label in SERIES[name].labels} | {"le", "job", "instance"}
    by = {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
    assert by <= there


def test_every_metric_is_on_the_dashboard():
    shown = " ".join(expression for name, expression in ASKED.items() if ": " in name)
    assert [name for name in DESCRIBED if not re.search(rf"\b{name}(_bucket)?\b", shown)] == []


def test_every_alert_says_how_bad_it_is_and_what_to_do():
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket", "info"), rule["alert"]
        assert len(rule["annotations"]["runbook"]) > 40, rule["alert"]
        assert rule["annotations"]["summary"]


def test_panels_do_not_overlap_and_are_told_apart():
    assert len({one["id"] for one in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken = set()
    for one in DASHBOARD["panels"]:
        place = one["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not taken & cells
        assert place["x"] + place["w"] <= 24
        taken |= cells
