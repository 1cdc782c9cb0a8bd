"""The track record of the models as people read it, as a program does, and as a card."""

import re

import pytest

from tests.web.conftest import Asker
from tests.web.learned import WEEKS, learn
from tests.web.serving import context
from tests.web.test_pages import words


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    from hub.store.database import Database  # noqa: PLC0415 - as below
    from tests.web import companies  # noqa: PLC0415 - only here

    with Database(f"sqlite:///{tmp_path_factory.mktemp('models')}/hub.db") as database:
        learn(database, companies.fill(database))
        yield Asker(context(database))


def test_the_first_screen_says_whether_the_score_predicts(taught):
    told = words(taught.ask("/models").text)
    learned = taught.ask("/api/models").json()
    visits = next(one for one in learned["visits"] if one["top"] == 20)
    assert f"AUC) within a week 0.{round(learned['experts'][0]['weekly']['value'] * 100)}" in told
    assert f"{visits['precision'] * 100:.0f} % were lost within 60 days" in told
    assert f"of all customers it was {visits['usual'] * 100:.0f} %" in told
    assert f"{61 * WEEKS} outcomes of 61 customers" in told
    assert "10 in use" in told
    assert "a logistic regression with a normal belief about its weights predicts worse than it used to" in told
    assert "log loss 0.883, was 0.432" in told


def test_how_many_one_can_visit_is_chosen_by_the_address_and_nonsense_is_forgiven(taught):
    assert "Of the 7 customers at the top of each week\u2019s list" in words(taught.ask("/models?top=7").text)
    for wrong in ("nan", "-4", "1e400", "x", ""):
        assert taught.ask(f"/models?top={wrong}").status_code == 200
    assert "Of the 1,000 customers" in words(taught.ask("/models?top=99999999").text)
    assert "You could visit everybody" in words(taught.ask("/models?top=100").text)
    assert taught.ask("/api/models?top=0").status_code == 400


def test_the_model_card_is_a_file_whose_figures_are_those_of_the_page(taught):
    answer = taught.ask("/models/card")
    assert answer.headers["content-type"].startswith("text/markdown")
    assert "attachment" in answer.headers["content-disposition"]
    mix = next(one for one in taught.ask("/api/models").json()["experts"] if one["name"] == "mix")
    assert f"{mix['auc']['value']:.3f} ({mix['auc']['low']:.3f}–{mix['auc']['high']:.3f})" in answer.text
    assert "predicts worse than it used to since 2026-08-10: log loss 0.883, was 0.432" in answer.text
    assert f"{mix['log_loss']['value']:.3f}" in words(taught.ask("/models").text)


def test_what_is_learned_of_a_segment_who_predicts_worse_and_with_whom_one_compares_is_said(taught):
    told = words(taught.ask("/models").text)
    assert "enterprise 33 % by its own outcomes, odds of leaving × 2.1" in told
    assert "The expert bayes predicts worse than it used to: log loss 0.432 → 0.883" in told
    assert "Percentiles compare with 61 customers" in told
    version = taught.ask("/api/models").json()["versions"][0]
    assert version["segments"]["enterprise"]["credibility"] == pytest.approx(1 / 3)
    assert version["alarms"][0]["expert"] == "bayes"


def test_before_outcomes_it_says_what_is_missing_and_how_to_get_it(empty_site):
    page = empty_site.ask("/models")
    told = words(page.text)
    assert page.status_code == 200
    assert "No outcome has come due yet" in told
    assert "needs 100 more outcomes, at least 10 of customers who left and 10 of customers who stayed" in told
    assert "pulsehub import FILE --map MAP.yaml" in told
    assert not re.search(r"AUC\)? within a week \d", told)
    assert empty_site.ask("/api/models").json()["experts"] == []
    assert "insufficient labels" in empty_site.ask("/models/card").text.lower()


def test_a_process_that_does_not_know_how_health_is_made_says_so(few):
    site = Asker(context(few, config=None))
    assert site.ask("/models").status_code == 503
    assert site.ask("/api/models").json()["message"].startswith("This process does not know")


@pytest.mark.usefixtures("engine")
def test_it_is_the_same_on_every_engine(database):
    from tests.web import companies  # noqa: PLC0415 - only here

    learn(database, companies.fill(database, number=12))
    told = Asker(context(database)).ask("/api/models").json()
    assert told["labels"] == 12 * WEEKS
    assert told["waiting"] == 12
    assert len(told["versions"]) == 10
    assert sum(one["labels"] for one in told["months"]) == 12 * WEEKS
