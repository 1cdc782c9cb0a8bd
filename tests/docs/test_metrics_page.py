"""docs/metrics.md is what the metrics and the alerts say, and no page names a metric that is not there."""

import re

import pytest

from hub import metrics
from tests.docs import metrics_page
from tests.docs.pages import ROOT


def test_the_metrics_page_is_up_to_date():
    assert metrics_page.PAGE.read_text() == metrics_page.page(), "python -m tests.docs.metrics_page --write"


@pytest.mark.parametrize("name", ["operate", "api", "redis", "performance"])
def test_a_page_names_only_metrics_that_there_are(name):
    page = ROOT / "docs" / f"{name}.md"
    there = {one.name for one in metrics.described()}
    assert set(re.findall(r"\bpulsehub_[a-z_]*[a-z](?![a-z_*.])", page.read_text())) - there == set()
