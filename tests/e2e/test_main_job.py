"""The main job, whole: signed payloads in, health moves, the CRM and the help desk show it, the owner is mailed."""

import base64
import itertools
import signal
from types import SimpleNamespace

import httpx
import pytest

from tests.e2e.kit import document, post, quiet, until, up
from tests.e2e.stage import world
from tests.installations import INSTALLATIONS, installation


@pytest.fixture(scope="module", params=INSTALLATIONS)
def job(request, tmp_path_factory):
    """Northwind becomes a customer, and then has a very bad hour."""
    data = tmp_path_factory.mktemp("main-job") / "data"
    with installation(request.param) as ours, world() as around, up(data, around.settings | ours) as hub:
        api = httpx.Client(base_url=hub.url, timeout=30)
        sent = around.founding()
        counts = [post(hub.url, ping) for pings in sent.values() for ping in pings]
        before = until(lambda: known(api, around, received=21))
        trouble = around.trouble()
        counts += [post(hub.url, ping) for pings in trouble.values() for ping in pings]
        after = until(lambda: known(api, around, received=40))
        until(lambda: around.inbox.mails, why=lambda: f"nobody was mailed\n{hub.said()}")
        until(lambda: shown(around, after), why=lambda: f"the fields were not written\n{hub.said()}")
        pings = [ping for sent in (sent, trouble) for pings in sent.values() for ping in pings]
        yield SimpleNamespace(
            hub=hub,
            data=data,
            world=around,
            api=api,
            before=before,
            after=after,
            counts=counts,
            pings=pings,
            settings=hub.settings,
        )
        api.close()


def known(api, around, *, received):
    """The customer as the API explains it, once so many events are applied."""
    if f"pulsehub_events_applied_total {received}.0" not in api.get("/metrics").text:
        return None
    return api.get(f"/api/accounts/{reference(around)}").json()


def reference(around):
    """By which Salesforce knows the customer."""
    (account,) = around.sandboxes["salesforce"].accounts
    return f"salesforce:account:{account}"


def in_salesforce(around):
    """The customer's record, as anybody reads it who has a login to the CRM."""
    url, settings = around.vendors.urls["salesforce"], around.settings
    login = {
        "grant_type": "client_credentials",
        "client_id": settings["PULSEHUB_SALESFORCE_CLIENT_ID"],
        "client_secret": settings["PULSEHUB_SALESFORCE_CLIENT_SECRET"],
    }
    token = httpx.post(f"{url}/services/oauth2/token", data=login).json()["access_token"]
    found = httpx.get(
        f"{url}/services/data/v61.0/query",
        params={"q": "SELECT FIELDS(ALL) FROM Account LIMIT 200"},
        headers={"authorization": f"Bearer {token}"},
    )
    (record,) = found.json()["records"]
    return record


def in_zendesk(around):
    """The customer's organization, as an agent sees it."""
    url, settings = around.vendors.urls["zendesk"], around.settings
    login = (settings["PULSEHUB_ZENDESK_EMAIL"] + "/token", settings["PULSEHUB_ZENDESK_TOKEN"])
    (organization,) = httpx.get(f"{url}/api/v2/organizations.json", auth=login).json()["organizations"]
    return organization["organization_fields"]


def shown(around, account):
    """Whether both vendors show the health the API does."""
    health = round(account["health"])
    there = in_salesforce(around).get("Health_Score__c"), in_zendesk(around).get("pulsehub_health")
    return there == (health, health)


def test_every_signed_payload_was_taken(job):
    assert sum(answer["accepted"] for answer in job.counts) == 40
    assert sum(answer["duplicates"] + answer["dead_lettered"] for answer in job.counts) == 0


def test_four_vendors_speak_of_one_customer(job):
    assert job.api.get("/api/accounts").json()["total"] == 1
    assert job.after["name"] == "Northwind Logistics"
    kinds = {one.partition(":")[0] for one in job.after["references"]}
    assert {"salesforce", "zendesk", "stripe", "segment"} <= kinds
    ids = {job.api.get(f"/api/accounts/{one}").json()["id"] for one in job.after["references"]}
    assert ids == {job.after["id"]}


def test_a_bad_hour_moves_health_into_the_worst_band(job):
    assert job.before["band"] == "steady"
    assert job.after["band"] == "at_risk"
    assert job.after["health"] < job.before["health"] - 20


@pytest.mark.parametrize("when", ["before", "after"])
def test_drivers_sum_to_the_difference_from_the_base(job, when):
    account = getattr(job, when)
    assert len(account["drivers"]) > 5
    total = sum(driver["points"] for driver in account["drivers"])
    assert abs(account["base"] + total - account["health"]) < 1e-9


def test_the_cause_leads_the_drivers_in_words(job):
    pulling = [driver["text"] for driver in job.after["drivers"] if driver["points"] < 0]
    assert "9 urgent tickets open" in pulling[:4]


def test_the_ledger_tells_how_it_came_to_that(job):
    entries = job.api.get(f"/api/accounts/{job.after['id']}/ledger", params={"limit": 200}).json()["entries"]
    assert entries[0]["health"] == pytest.approx(job.after["health"])
    assert entries[-1]["was"] is None
    for newer, older in itertools.pairwise(entries):
        assert newer["was"] == older["health"]
    assert any(cause.startswith("zendesk:ticket:") for entry in entries for cause in entry["causes"])


def test_the_crm_shows_the_health_and_what_pulls_it_down(job):
    record = in_salesforce(job.world)
    assert record["Health_Band__c"] == "at_risk"
    assert record["Health_Score__c"] == round(job.after["health"])
    assert record["Churn_Risk__c"] == pytest.approx(job.after["risk"] * 100, abs=0.1)
    assert "9 urgent tickets open" in record["Health_Drivers__c"]
    assert record["Plan__c"] == "team"


def test_the_help_desk_shows_it_beside_every_ticket(job):
    fields = in_zendesk(job.world)
    assert fields["pulsehub_band"] == "at_risk"
    assert fields["pulsehub_health"] == round(job.after["health"])
    assert "9 urgent tickets open" in fields["pulsehub_drivers"]


def test_one_mail_tells_the_owner_whom_and_why(job):
    (mail,) = job.world.inbox.mails
    assert mail.to == ("mira@pulsehub.example",)
    assert "Northwind Logistics" in mail.subject
    text = mail.part("plain")
    assert "urgent tickets open" in text
    assert f"{job.hub.url}/accounts/{job.after['id']}" in text
    assert "urgent tickets open" in mail.part("html")


def test_the_link_in_the_mail_opens_the_page_that_explains(job):
    page = job.api.get(f"/accounts/{job.after['id']}")
    assert page.status_code == 200
    assert "Northwind Logistics" in page.text
    assert "9 urgent tickets open" in page.text


def test_our_own_writes_come_back_as_news_and_are_dropped(job):
    echoes = job.world.vendors.echoes()
    assert {ping.path for ping in echoes} == {"/in/salesforce", "/in/zendesk"}
    for ping in echoes:
        assert post(job.hub.url, ping) == {"accepted": 0, "duplicates": 0, "dead_lettered": 0}


def test_what_a_vendor_sends_again_counts_once_and_the_books_say_so(job):
    again = [post(job.hub.url, ping) for ping in job.pings]
    assert sum(answer["duplicates"] for answer in again) == 40
    assert sum(answer["accepted"] + answer["dead_lettered"] for answer in again) == 0
    told = quiet(job.data, job.settings)
    assert told.pop("checks")
    assert told == {
        "ok": True, "received": 80, "applied": 40, "duplicates": 40, "dead_lettered": 0, "pending": 0,
    }  # fmt: skip
    assert job.api.get(f"/api/accounts/{job.after['id']}").json()["health"] == pytest.approx(job.after["health"])


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/batch", 400), ("/v1/track", 400), ("/in/stripe", 401), ("/in/zendesk", 401), ("/in/salesforce", 401)],
)
def test_a_wrong_key_is_refused_as_each_vendor_s_client_understands(job, path, status):
    stranger = {"authorization": "Basic " + base64.b64encode(b"wrong-key:").decode(), "stripe-signature": "t=1,v1=00"}
    reply = job.api.post(path, json={"batch": []}, headers=stranger)
    assert reply.status_code == status
    assert set(reply.json()) == {"code", "message"}
    assert "signature" in reply.json()["code"]


def test_the_command_line_tells_the_same(job):
    def tell(*arguments):
        return document(job.data, *arguments, settings=job.settings)

    told = tell("explain", reference(job.world))
    assert told["account"] == job.after["id"]
    assert told["health"] == pytest.approx(job.after["health"])
    assert [d["name"] for d in told["drivers"]] == [d["name"] for d in job.after["drivers"]]
    (row,) = tell("accounts", "--band", "at_risk")["accounts"]
    assert (row["id"], row["owner"]) == (job.after["id"], "Mira Solberg")
    happened = tell("events", "Northwind Logistics", "--limit", "1000")["events"]
    assert len(happened) == 40
    left = tell("deliveries", "--account", "northwind.example")
    assert {one["sink"] for one in left["deliveries"]} == {"salesforce", "zendesk", "email"}


def test_what_was_known_is_known_after_a_restart(job):
    """Last in this file: it ends the hub the others ask."""
    status, seconds = job.hub.stop(signal.SIGINT)
    assert (status, seconds < 10) == (0, True)
    with up(job.data, job.settings) as again:
        told = httpx.get(f"{again.url}/api/accounts/{job.after['id']}").json()
        assert told["health"] == pytest.approx(job.after["health"], abs=0.5)
        assert len(job.world.inbox.mails) == 1
        assert again.stop()[0] == 0
    assert "Traceback" not in again.said()
    assert [line for line in again.said().splitlines() if '"level":"error"' in line] == []
