"""`measures` and `scorecard`: what is declared, and whom a draft would move."""

import pytest

from tests.e2e.kit import document, pulsehub

MEASURE = """
- {name: letters, family: count, kinds: [ticket.opened], dimension: support, label: "{n} letters", direction: down}
"""
CARD = """
dimensions: [{name: support, weight: 1, measures: [{measure: open_tickets, weight: 1, low: 4, high: 0}]}]
outcome: {kinds: [account.deleted], horizon: 60d, every: 7d}
limits: [{when: {open_tickets: ">= 1"}, cap: 20}]
"""


def test_measures_are_listed_with_their_versions(filled):
    told = document(filled.data, "measures", settings=filled.settings)
    assert {one["accounts"] for one in told["measures"]} == {told["accounts"]}
    assert len({one["version"] for one in told["measures"]}) == len(told["measures"])
    said = pulsehub(filled.data, "measures", settings=filled.settings).stdout
    assert "open_tickets" in said
    assert told["version"] in said


def test_the_scorecard_is_shown(filled):
    told = document(filled.data, "scorecard", settings=filled.settings)
    assert told["scorecard"]["bands"]["steady"] == 60
    assert "urgent_tickets" in pulsehub(filled.data, "scorecard", settings=filled.settings).stdout


def test_a_draft_of_the_scorecard_says_whom_it_moves_and_moves_nobody(filled, tmp_path):
    before = document(filled.data, "accounts", settings=filled.settings)
    draft = tmp_path / "scorecard.yaml"
    draft.write_text(CARD)
    told = document(filled.data, "scorecard", "diff", draft, settings=filled.settings)
    assert told["accounts"] == sum(many for to in told["bands"].values() for many in to.values())
    assert {one["draft_band"] for one in told["most"]} >= {"at_risk"}
    assert told["folded_anew"] == ["outcome"]
    assert "scorecard, limits, when open_tickets >= 1, cap 20: new" in told["changes"]
    said = pulsehub(filled.data, "scorecard", "diff", draft, settings=filled.settings).stdout
    assert "accounts would move by half a point or more" in said
    assert "\x1b[31m" not in said
    assert document(filled.data, "accounts", settings=filled.settings) == before


def test_a_draft_of_measures_is_folded_in_memory(filled, tmp_path):
    (tmp_path / "measures.yaml").write_text(MEASURE)
    (tmp_path / "scorecard.yaml").write_text(CARD.replace("open_tickets", "letters"))
    told = document(filled.data, "measures", "diff", tmp_path, settings=filled.settings)
    assert "letters" in told["folded_anew"]
    assert "measure letters: new" in told["changes"]
    assert "measure usage_7d: gone" in told["changes"]
    assert {one["draft_band"] for one in told["most"]} >= {"at_risk"}


@pytest.mark.parametrize(
    ("text", "said"), [("limits: [{when: {mrr: lots}, cap: 5}]", "no condition"), ("a: [", "is not YAML")]
)
def test_a_draft_that_makes_no_sense_is_refused(filled, tmp_path, text, said):
    draft = tmp_path / "scorecard.yaml"
    draft.write_text(CARD.split("limits", maxsplit=1)[0] + text)
    done = pulsehub(filled.data, "scorecard", "diff", draft, settings=filled.settings)
    assert (done.returncode, said in done.stderr) == (2, True)
    assert pulsehub(filled.data, "measures", "diff", tmp_path / "none", settings=filled.settings).returncode == 2
