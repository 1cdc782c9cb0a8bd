"""A person's word about a health, by the API and on the page."""

import pytest

from hub.settings import Settings
from hub.store.database import Database
from scoring.overrides import Override, event, rows, write
from tests.web import companies
from tests.web.conftest import Asker
from tests.web.serving import context

PATH = "/api/accounts/zendesk:organization:1000/override"
WORD = {"health": 40, "until": "2026-10-14T00:00:00Z", "reason": "their sponsor leaves", "author": "ann@acme.com"}


@pytest.fixture
def site(tmp_path):
    """Its log is a list, and what is on it is applied at once."""
    told = []
    with Database(f"sqlite:///{tmp_path}/hub.db") as database:
        ids = companies.fill(database, number=3)

        def tell(one):
            told.append(one)
            database.write(lambda connection: write(connection, rows([(one.account, one)]))).result()

        asker = Asker(context(database, tell=tell))
        asker.told, asker.one = told, ids[0]
        yield asker


def test_a_word_enters_as_an_event_of_the_hubs_own(site):
    answer = site.ask(PATH, "POST", json=WORD)
    assert answer.status_code == 202
    (told,) = site.told
    assert (told.kind, told.account, told.value) == ("health.overridden", site.one, 40.0)
    assert told.properties == {
        "until": "2026-10-14T00:00:00+00:00",
        "reason": "their sponsor leaves",
        "author": "ann@acme.com",
    }
    assert site.ask(PATH).json()["overrides"] == [answer.json()]


def test_it_is_taken_back_by_somebody_for_a_reason(site):
    assert site.ask(PATH, "DELETE").json()["code"] == "bad_parameter"
    answer = site.ask(PATH, "DELETE", params={"author": "bea", "reason": "she stays"})
    assert (answer.status_code, answer.json()["health"], answer.json()["until"]) == (202, None, None)
    assert site.told[0].properties == {"clear": True, "author": "bea", "reason": "she stays"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"health": 101}, "less than or equal to 100"),
        ({"until": "2026-09-13T00:00:00Z"}, "ends in the future"),
        ({"until": "2028-09-13T00:00:00Z"}, "within a year"),
        ({"reason": " "}, "has an author and a reason"),
        ({"author": ""}, "has an author and a reason"),
    ],
)
def test_a_word_that_nobody_could_stand_by_is_refused(site, wrong, said):
    answer = site.ask(PATH, "POST", json=WORD | wrong)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
    assert said in answer.json()["message"]
    assert site.told == []


def test_by_the_clock_of_events_it_is_said_after_all_there_was_and_not_today(site):
    later = companies.NOW + 900 * companies.DAY
    old = Asker(
        context(site.context.database, tell=site.context.tell, now=lambda: later, settings=Settings(clock="event"))
    )
    answer = old.ask(PATH, "POST", json=WORD)
    assert answer.status_code == 202
    assert site.told[0].occurred_at.timestamp() < companies.NOW + companies.DAY


def test_nobody_is_set_who_is_not_known(site):
    answer = site.ask("/api/accounts/zendesk:organization:9/override", "POST", json=WORD)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_account")


def test_where_no_events_enter_it_says_so(site):
    other = Asker(context(site.context.database))
    assert other.ask(PATH, "POST", json=WORD).status_code == 503


def test_the_page_says_who_set_it_why_and_what_is_computed(site):
    assert "Set by hand" not in site.ask(f"/accounts/{site.one}").text
    said = Override(companies.NOW - 40 * companies.DAY, companies.NOW + companies.DAY, 40.0, companies.HOSTILE, "a<b>")
    site.context.tell(event(site.one, said))
    page = site.ask(f"/accounts/{site.one}").text
    assert "Set by hand to 40 until" in page
    assert "a&lt;b&gt;. Computed, it is" in page
    assert companies.HOSTILE not in page
