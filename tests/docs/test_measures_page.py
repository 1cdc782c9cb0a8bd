"""docs/measures.md: what it shows of the two files can be scored with."""

from typing import get_args

import pytest
import yaml

from scoring.config import Config, Dimension, Limit, Measure, Scorecard, SegmentCard, Transform
from scoring.loading import load
from scoring.measures import MeasureSet
from scoring.outcome import Expansion, Outcome
from scoring.scorer import Scorer
from scoring.ways import KINDS_OF_WAYS
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "measures.md"
SHOWN = [block.text for block in blocks(PAGE) if block.language == "yaml"]
MEASURES = [one for text in SHOWN if isinstance(shown := yaml.safe_load(text), list) for one in shown]


def whole(text):
    """Our own files with what is shown: a list is measures beside ours, a mapping is words of the scorecard.

    What the scorecard says may name any measure that the page shows.
    """
    ours, shown = load().model_dump(), yaml.safe_load(text)
    measures = shown if isinstance(shown, list) else MEASURES
    named = {measure["name"] for measure in measures}
    ours["measures"] = [*(m for m in ours["measures"] if m["name"] not in named), *measures]
    if isinstance(shown, dict):
        ours["scorecard"] |= shown
    return Config.model_validate(ours)


@pytest.mark.parametrize("text", SHOWN, ids=[text.split("\n")[0] for text in SHOWN])
def test_what_the_page_shows_can_be_measured_and_scored_with(text):
    config = whole(text)
    assert MeasureSet(config).dtype.names
    assert Scorer(config, None).names
    assert config.version != load().version


def test_a_block_that_makes_no_sense_would_be_noticed():
    with pytest.raises(ValueError, match="no condition"):
        whole("limits: [{when: {mrr: lots}, cap: 5}]")


def test_every_word_of_a_measure_is_told():
    table = "".join(line for line in PAGE.read_text().splitlines() if line.startswith("| `"))
    assert [name for name in Measure.model_fields if f"`{name}`" not in table] == []


def test_every_word_of_a_scorecard_is_told():
    page = PAGE.read_text()
    ways = KINDS_OF_WAYS.values()
    for model in (Scorecard, Dimension, Transform, Limit, SegmentCard, Outcome, Expansion, *ways):
        assert [word for word in model.model_fields if word not in page] == []
    for word in get_args(Transform.model_fields["missing"].annotation):
        assert f"`{word}`" in page or f"missing: {word}" in page
