"""Why it moved, what would bring it to green, what if: by the API and on the pages, on both engines."""

import re
from urllib.parse import quote

import pytest
from sqlalchemy import delete, select

from hub.store import schema
from hub.web.words import iso
from tests.web import companies
from tests.web.companies import DAY, NOW
from tests.web.conftest import Asker
from tests.web.serving import context
from tests.web.standing import stand


def total(told, key="shares"):
    return sum(share["points"] for share in told[key])


def api(site, path, **params):
    answer = site.ask(f"/api/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(site, path, status, code, **how):
    answer = site.ask(f"/api/{path}", **how)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    return answer.json()["message"]


# --- the API -------------------------------------------------------------------------------------------------------


def test_every_entry_of_the_ledger_is_the_sum_of_its_shares(site, one):
    entries = api(site, f"accounts/{one}/ledger", limit=500)["entries"]
    assert len(entries) > 40
    for entry in entries[:-1]:
        assert total(entry) == pytest.approx(entry["health"] - entry["was"], abs=1e-9)
    assert entries[-1]["shares"] == []
    told = next(entry for entry in entries if entry["events"])
    assert [event["id"] for event in told["events"]] == told["causes"]
    assert told["events"][0]["kind"]


def test_the_ledger_can_be_asked_for_a_period(site, one):
    week = api(site, f"accounts/{one}/ledger", since="7d", limit=500)["entries"]
    whole = api(site, f"accounts/{one}/ledger", limit=500)["entries"]
    assert week == [entry for entry in whole if entry["at"] > iso(NOW - 7 * DAY)]
    until = api(site, f"accounts/{one}/ledger", until="2026-09-01", limit=500)["entries"]
    assert 0 < len(until) < len(whole)
    assert all(entry["at"] < "2026-09-02" for entry in until)


def test_what_moved_a_customer_sums_to_the_difference(site, filled):
    for account in filled.ids[:12]:
        told = api(site, f"accounts/{account}/moved", since="30d")
        if told["was"] is not None:
            assert total(told) == pytest.approx(told["health"] - told["was"], abs=1e-9)


def test_what_moved_the_book_sums_to_the_difference_and_so_does_each_mover(site):
    told = api(site, "moved", since="7d", limit=500)
    assert told["accounts"] > 40
    assert total(told, "parts") == pytest.approx(told["health"] - told["was"], abs=1e-9)
    assert told["fell"] > 0 < told["rose"]
    for mover in told["movers"]:
        assert total(mover) == pytest.approx(mover["health"] - mover["was"], abs=1e-9)
    sizes = [abs(mover["health"] - mover["was"]) for mover in told["movers"]]
    assert sizes == sorted(sizes, reverse=True)


def test_a_segment_moves_by_itself(site):
    owner = next(one["owner"] for one in api(site, "accounts")["accounts"] if one["owner"])
    whole, theirs = api(site, "moved", since="7d"), api(site, "moved", since="7d", where=f"owner={owner.upper()}")
    assert 0 < theirs["accounts"] < whole["accounts"]
    assert total(theirs, "parts") == pytest.approx(theirs["health"] - theirs["was"], abs=1e-9)
    assert api(site, "moved", where="owner=nobody")["accounts"] == 0


def test_what_would_bring_it_to_green_is_what_the_scorer_says(site, one):
    told = api(site, f"accounts/{one}/reach", to="80")
    assert told["ways"]
    for way in told["ways"]:
        assert way["health"] >= 80
        assert total(way) == pytest.approx(way["health"] - told["health"], abs=1e-9)
        values = {step["name"]: step["value"] for step in [*way["steps"], *way["follows"]]}
        asked = site.ask(f"/api/accounts/{one}/what-if", "POST", json={"values": values}).json()
        assert asked["outcome"]["health"] == pytest.approx(way["health"], abs=1e-9)
    beyond = api(site, f"accounts/{one}/reach", to="100")
    assert (beyond["ways"], bool(beyond["nearest"])) == ([], True)
    assert "at best" in beyond["note"]


def test_what_if_takes_values_and_events(site, one):
    body = {"values": {"urgent_tickets": 0, "nps": "unknown"}, "events": ["invoice.paid"]}
    told = site.ask(f"/api/accounts/{one}/what-if", "POST", json=body).json()
    assert total(told["outcome"]) == pytest.approx(told["outcome"]["health"] - told["health"], abs=1e-9)
    follows = {step["name"]: step["then"] for step in told["outcome"]["follows"]}
    assert follows["overdue_invoices"] == "no invoices overdue"


def test_asking_changes_nothing(few):
    site, account = Asker(context(few)), few.ids[0]

    def everything():
        with few.read() as connection:
            return {t.name: sorted(map(str, connection.execute(select(t)))) for t in schema.metadata.sorted_tables}

    before = everything()
    site.ask(f"/api/accounts/{account}/what-if", "POST", json={"events": ["ticket.solved", "meeting.held"]})
    site.ask(f"/api/accounts/{account}/reach")
    site.ask(f"/accounts/{account}/what-if?events=ticket.solved")
    assert everything() == before


@pytest.mark.parametrize(
    ("path", "no", "says"),
    [
        ("accounts/nobody/moved", (404, "unknown_account"), "No customer is known"),
        ("accounts/nobody/reach", (404, "unknown_account"), "No customer is known"),
        ("accounts/ONE/moved?since=someday", (400, "bad_period"), "'someday' is no moment; write monday"),
        ("accounts/ONE/moved?since=2026-09-10&until=2026-09-01", (400, "bad_period"), "ends after it begins"),
        ("accounts/ONE/moved?since=2027-01-01", (400, "bad_period"), "has not begun yet"),
        ("accounts/ONE/moved?since=9999999d", (400, "bad_period"), "longer ago than anything"),
        ("accounts/ONE/ledger?since=nan", (400, "bad_period"), "is no moment"),
        ("accounts/ONE/ledger?cursor=x", (400, "bad_cursor"), "start again"),
        ("accounts/ONE/reach?to=blue", (400, "bad_question"), "choose thriving, steady, watch"),
        ("accounts/ONE/reach?to=nan", (400, "bad_question"), "a health is from 0 to 100"),
        ("accounts/TWO/reach", (409, "no_health"), "no health yet"),
        ("moved?where=plan", (400, "bad_question"), "write name=value"),
        ("moved?where=flavor=sweet", (400, "bad_question"), "profiles have"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(site, filled, path, no, says):
    path = path.replace("ONE", filled.ids[0]).replace("TWO", filled.ids[1])
    assert says.casefold() in refused(site, path, *no).casefold()


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ({"values": {"open_tickts": 0}}, "bad_question", "do you mean open_tickets?"),
        ({"values": {"open_tickets": -3}}, "bad_question", "less than nothing"),
        ({"values": {"open_tickets": 1e99}}, "bad_question", "no number anybody measures"),
        ({"events": ["ticket.vanished"]}, "bad_question", "changes no measure"),
        ({"events": ["ticket.solved"] * 101}, "bad_parameter", "at most 100"),
        ({"valeus": {}}, "bad_parameter", "extra"),
        ({"values": {"open_tickets": "many"}}, "bad_parameter", ""),
    ],
)
def test_what_cannot_be_supposed_is_refused_in_words(site, one, body, code, says):
    assert says.casefold() in refused(site, f"accounts/{one}/what-if", 400, code, method="POST", json=body).casefold()


def test_numbers_that_json_does_not_have_are_refused(site, one):
    body = '{"values": {"open_tickets": NaN}}'
    answer = site.ask(
        f"/api/accounts/{one}/what-if", "POST", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400


def test_another_sites_page_cannot_ask(site, one):
    answer = site.ask(f"/api/accounts/{one}/what-if", "POST", json={}, headers={"origin": "https://evil.test"})
    assert answer.status_code == 403


def test_what_was_let_go_of_is_said(few):
    account = few.ids[0]
    few.write(lambda connection: connection.execute(delete(schema.ledger))).result()
    few.write(lambda connection: connection.execute(delete(schema.archive))).result()
    site = Asker(context(few))
    assert api(site, f"accounts/{account}/ledger") == {"entries": [], "next": None}
    told = api(site, f"accounts/{account}/moved", since="30d")
    assert (told["was"], told["health"], told["shares"]) == (None, None, [])
    assert "that the ledger still knows" in site.ask(f"/accounts/{account}/moved").text
    assert "Nobody was a customer" in site.ask("/moved?since=7d").text


# --- the pages -----------------------------------------------------------------------------------------------------


def test_the_page_of_a_customer_leads_to_why_it_moved_and_what_if(site, one):
    page = site.ask(f"/accounts/{one}").text
    for place in ("moved", "what-if"):
        assert f'href="/accounts/{one}/{place}"' in page
        assert site.ask(f"/accounts/{one}/{place}").status_code == 200
    assert 'href="/moved"' in site.ask("/").text


def test_the_page_says_what_moved_it_in_points(site, one):
    page = site.ask(f"/accounts/{one}/moved?since=30d").text
    assert "Health before" in page
    assert "Health after" in page
    assert 'aria-current="true">30 days' in page


def test_a_wrong_period_is_said_and_the_usual_is_shown(site, one):
    answer = site.ask(f"/accounts/{one}/moved?since=someday")
    assert answer.status_code == 400
    assert "is no moment; write monday" in answer.text
    assert "Health after" in answer.text


def test_the_book_names_who_moved_and_keeps_the_period_in_their_links(site):
    page = site.ask("/moved?since=7d").text
    assert re.search(r'href="/accounts/acc_[^"]+/moved\?since=7d"', page)
    assert "All together" in page


def test_a_filter_that_fits_nobody_is_said(site):
    assert "profiles have" in site.ask("/moved?where=flavor%3Dsweet").text
    assert "write name=value" in site.ask("/moved?where=plan").text
    assert "those where currency=eur" in site.ask("/moved?where=currency%3Deur").text


def test_the_form_works_without_a_script_and_its_address_says_all(site, one):
    page = site.ask(f"/accounts/{one}/what-if?m.urgent_tickets=0&m.open_tickets=1&events=meeting.held").text
    assert '<form action="/accounts/' in page
    assert 'method="post"' not in page.partition("data-preview")[2].partition("</form>")[0]
    assert "No urgent tickets open" in page
    assert "met today" in page.casefold()
    assert re.search(r'name="m.urgent_tickets"[^>]* value="0"[^>]* data-usual="2"', page)


def test_what_would_bring_it_to_green_can_be_tried(site, one):
    page = site.ask(f"/accounts/{one}/what-if?to=80").text
    [address, *_] = re.findall(r'<a href="(/accounts/[^"]+#result)">Try it below', page)
    tried = site.ask(address.replace("&amp;", "&").partition("#")[0]).text
    health = re.search(r'class="big">(\d+)<', tried)
    assert int(health[1]) >= 80


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("m.open_tickets=-2", "less than nothing"),
        ("m.open_tickets=1e400", "no number anybody measures"),
        ("m.open_tickets=NaN", "no number anybody measures"),
        ("m.nonsense=2", "there is no measure"),
        ("events=ticket.vanished", "changes no measure"),
    ],
)
def test_the_form_says_what_cannot_be(site, one, query, says):
    answer = site.ask(f"/accounts/{one}/what-if?{query}")
    assert answer.status_code == 400
    assert says in answer.text.casefold()


def test_a_customer_without_a_health_has_no_what_if(site, filled):
    answer = site.ask(f"/accounts/{filled.ids[1]}/what-if")
    assert answer.status_code == 409
    assert "no health yet" in answer.text


def test_hostile_names_and_questions_stay_text(site, filled):
    last = quote(filled.ids[-1], safe="")
    for path in (
        f"/accounts/{last}/moved",
        "/moved?since=90d",
        '/moved?where="><script>alert(1)</script>=x',
        f"/accounts/{filled.ids[0]}/what-if?events=<script>alert(1)</script>&m.nps=<b>",
    ):
        page = site.ask(path).text
        assert "<script>window.hacked" not in page
        assert "<script>alert" not in page
        assert "<b>" not in page.partition('name="m.nps"')[2].partition(">")[0]


def test_rows_that_cannot_be_read_take_nothing_else_with_them(few):
    junk = schema.ledger.update().values(parts=b"junk")
    few.write(lambda connection: connection.execute(junk)).result()
    site = Asker(context(few))
    assert site.ask("/moved?since=7d").status_code == 200
    assert site.ask(f"/accounts/{few.ids[0]}?tab=ledger").status_code == 200


# --- what it will bring --------------------------------------------------------------------------------------------


def test_what_a_customer_will_bring_is_told_alike_by_the_api_and_its_page(site, one):
    told = api(site, f"accounts/{one}/value")
    (part,) = told["parts"]
    assert 0 < part["low"] <= part["value"] <= part["high"]
    assert part["value_at_risk"] < part["value"]
    page = site.ask(f"/accounts/{one}").text
    assert "What it will bring" in page
    assert f"€{part['value']:,.0f}" in page
    assert part["made_of"][1:] in page


def test_the_list_of_all_has_those_of_most_value_at_risk_first_and_the_book_sorts_alike(site):
    (euros,) = api(site, "value", limit=60)["currencies"]
    stakes = [row["value_at_risk"] for row in euros["accounts"]]
    assert stakes == sorted(stakes, reverse=True)
    assert euros["customers"] >= len(stakes) > 50
    assert euros["value"] == pytest.approx(sum(row["value"] for row in euros["accounts"]), rel=0.1)
    book = site.ask("/", params={"sort": "-value_at_risk"}).text
    ranks = [row["id"] for row in euros["accounts"]]
    shown = [key for key in re.findall(r'<tr data-key="([^"]+)"', book.split('class="customers"')[1]) if key in ranks]
    assert len(shown) > 30
    assert shown == ranks[: len(shown)]
    assert "Will bring" in book
    assert f"€{euros['accounts'][0]['value']:,.0f}" in book


def test_a_customer_who_was_never_valued_says_how_it_comes_to_be(bare_site):
    site, one = bare_site
    told = api(site, f"accounts/{one}/value")
    assert (told["parts"], told["at"], told["version"]) == ([], None, 0)
    assert "`pulsehub value`" in told["note"]
    assert "Customers have not been valued yet" in site.ask(f"/accounts/{one}").text
    assert api(site, "value")["currencies"] == []


@pytest.fixture
def bare_site(database):
    """Of four companies that nobody has valued."""
    ids = companies.fill(database, number=4, history=False)
    return Asker(context(database)), ids[0]


# --- what to do next -----------------------------------------------------------------------------------------------


@pytest.fixture
def open_site(database):
    """Four companies; the first can be judged."""
    ids = companies.fill(database, number=4, history=False)
    stand(database, ids[0], NOW)
    return Asker(context(database)), ids


def test_to_look_proposes_nothing_and_to_ask_does_and_what_was_done_is_told(open_site):
    site, (one, *_) = open_site
    path = f"accounts/{one}/next"
    assert api(site, path)["proposal"] is None
    assert "Nothing is proposed now" in site.ask(f"/accounts/{one}").text
    made = site.ask(f"/api/{path}", "POST")
    assert made.status_code == 201, made.text
    proposal = made.json()["proposal"]
    assert proposal["propensity"] == proposal["chances"][proposal["action"]] > 0
    assert sum(proposal["chances"].values()) == pytest.approx(1.0)
    assert api(site, path)["proposal"] == proposal == site.ask(f"/api/{path}", "POST").json()["proposal"]
    page = site.ask(f"/accounts/{one}").text
    assert proposal["label"] in page
    assert proposal["reason"][1:40] in page
    told = site.ask(f"/api/{path}", "PUT", json={"took": proposal["action"]}).json()["proposal"]
    assert (told["taken"], told["reward"]) == (proposal["action"], None)
    refused(site, path, 409, "nothing_proposed", method="PUT", json={"took": "dance"})
    refused(site, path, 400, "bad_parameter", method="PUT", json={})


def press(site, account, word):
    """Send the form that the button of this word on a customer's page belongs to."""
    shown = site.ask(f"/accounts/{account}").text
    (form,) = (form for form in re.findall(r"<form.*?</form>", shown, re.DOTALL) if f">{word}</button>" in form)
    (path,) = re.findall(r'action="([^"]*)"', form)
    return site.ask(path, "POST", data=dict(re.findall(r'name="(\w+)" value="([^"]*)"', form)))


def test_the_page_asks_for_a_proposal_and_is_told_what_was_done(open_site):
    site, (one, *_) = open_site
    page = f"/accounts/{one}"

    def after(word):
        sent = press(site, one, word)
        assert (sent.status_code, sent.headers["location"]) == (303, page)
        return site.ask(page).text

    asked = after("Propose something")
    assert ">Propose something</button>" not in asked
    proposal = api(site, f"accounts/{one}/next")["proposal"]
    assert proposal["label"] in asked
    assert "; done: " in after("Done")
    assert api(site, f"accounts/{one}/next")["proposal"]["taken"] == proposal["action"]
    assert "; not done" in after("Not done")
    assert api(site, f"accounts/{one}/next")["proposal"]["taken"] == "none"
    assert site.ask(f"{page}/next", "POST", data={"took": "none"}).status_code == 403  # not a form of ours


def test_of_who_was_never_judged_nothing_is_proposed_and_the_page_says_why(open_site):
    site, ids = open_site
    answer = press(site, ids[1], "Propose something")
    assert answer.status_code == 409
    assert "It has no health yet" in answer.text


def test_of_who_is_not_known_nothing_is_proposed(open_site):
    site, ids = open_site
    said = refused(site, "accounts/nobody:1/next", 404, "unknown_account", method="POST")
    assert "No customer" in said
    assert api(site, f"accounts/{ids[1]}/next")["proposal"] is None
