from __future__ import annotations

import pytest

from hub import ConfigError
from scoring.clock import DAY
from scoring.experts.rhythm import past
from scoring.proof.suggest import Fact, suggested


def test_what_is_suggested_follows_from_the_horizon_and_the_kinds_alone():
    config = suggested([Fact("usage.tracked", contact=True), Fact("ticket.opened")], horizon=30 * DAY, every=DAY)
    by_name = {measure.name: measure for measure in config.measures}
    assert config.scorecard.outcome.kinds == ["usage.tracked"]
    assert by_name["lately"].half_life == 7.5 * DAY
    assert by_name["days"].window == 240 * DAY
    assert by_name["ticket_opened_longer"].direction == "down"
    assert "people" in by_name
    assert past(config.measures, config.scorecard.outcome) is not None


def test_kinds_may_be_said():
    facts = [Fact("usage.tracked"), Fact("invoice.paid", amount=True)]
    config = suggested(facts, horizon=60 * DAY, every=7 * DAY, lost=["invoice.paid"])
    assert config.scorecard.outcome.kinds == ["invoice.paid"]
    assert {"usage_tracked_lately", "amount_lately"} <= {measure.name for measure in config.measures}


def test_a_kind_that_several_rules_make_is_one_with_all_that_any_of_them_carries():
    config = suggested([Fact("order.placed"), Fact("order.placed", value=True)], horizon=30 * DAY, every=DAY)
    assert {"value_lately", "value_ever"} <= {measure.name for measure in config.measures}


def test_without_any_sign_of_life_it_says_what_to_do():
    with pytest.raises(ConfigError, match="--kinds"):
        suggested([Fact("refund.issued"), Fact("note.logged")], horizon=30 * DAY, every=DAY)
