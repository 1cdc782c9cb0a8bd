import json
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from hub.store import schema
from hub.web.context import Halt
from tests.web.conftest import Asker
from tests.web.serving import context


def test_following_the_cursor_lists_every_customer_once(site, filled):
    for sort in ("health", "-mrr", "name", "-renewal", "owner"):
        found, cursor = [], None
        while True:
            page = site.ask(
                "/api/accounts", params={"limit": 7, "sort": sort} | ({"cursor": cursor} if cursor else {})
            ).json()
            found += [one["id"] for one in page["accounts"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert sorted(found) == sorted(filled.ids), sort
        assert page["total"] == len(filled.ids)


def test_customers_are_sorted_with_the_unknown_last(site):
    told = [one["owner"] for one in site.ask("/api/accounts?sort=-owner&limit=500").json()["accounts"]]
    known = [owner for owner in told if owner]
    assert known == sorted(known, reverse=True)
    assert None in told
    assert told[: len(known)] == known


def test_customers_are_found_by_band_name_and_reference(site):
    risky = site.ask("/api/accounts?band=at_risk").json()
    assert risky["total"] == len(risky["accounts"]) > 0
    assert {one["band"] for one in risky["accounts"]} == {"at_risk"}
    assert [one["name"] for one in site.ask("/api/accounts?q=northwind").json()["accounts"]] == ["Northwind Traders"]
    assert [one["name"] for one in site.ask("/api/accounts?q=zendesk:organization:1000").json()["accounts"]] == [
        "Northwind Traders"
    ]
    assert site.ask("/api/accounts", params={"q": "100%_"}).json()["total"] == 0  # no wildcards of ours leak


def test_a_customer_who_left_is_listed_only_when_asked_for(few):
    gone = few.ids[0]
    leave = update(schema.accounts).where(schema.accounts.c.id == gone).values(band="left")
    few.write(lambda connection: connection.execute(leave)).result()
    site = Asker(context(few))
    everybody = [one["id"] for one in site.ask("/api/accounts").json()["accounts"]]
    assert sorted([*everybody, gone]) == sorted(few.ids)
    assert [one["id"] for one in site.ask("/api/accounts?band=left").json()["accounts"]] == [gone]
    assert "1 customer left" in site.ask("/").text


def test_an_account_is_found_by_any_vendors_reference_even_with_a_slash(site, one):
    for reference in (one, "zendesk:organization:1000", "segment:group:northwindtraders/0"):
        answer = site.ask(f"/api/accounts/{quote(reference, safe='')}")
        assert answer.status_code == 200
        assert answer.json()["id"] == one


def test_an_account_is_explained_to_the_last_point(site, one):
    told = site.ask(f"/api/accounts/{one}").json()
    assert {"health", "band", "risk", "drivers", "measures", "as_of", "config_version", "model_version"} <= told.keys()
    assert told["base"] + sum(driver["points"] for driver in told["drivers"]) == pytest.approx(told["health"], abs=1e-3)
    assert told["as_of"].endswith("+00:00")
    assert next(m for m in told["measures"] if m["name"] == "csat")["value"] is None


def test_the_ledger_and_the_events_are_followed_to_their_end(site, one):
    for name in ("ledger", "events"):
        key = "entries" if name == "ledger" else "events"
        found, cursor = [], None
        while True:
            page = site.ask(
                f"/api/accounts/{one}/{name}", params={"limit": 9} | ({"cursor": cursor} if cursor else {})
            ).json()
            found += [entry.get("at") or entry["occurred_at"] for entry in page[key]]
            cursor = page["next"]
            if cursor is None:
                break
        assert found == sorted(found, reverse=True)
        assert len(found) == (46 if name == "ledger" else 86)


def test_a_merged_account_answers_as_its_survivor(few):
    first, second = few.ids[:2]

    def merge(connection):
        connection.execute(schema.merges.insert().values(absorbed=second, survivor=first, at=0.0, why="same key"))
        connection.execute(update(schema.profiles).where(schema.profiles.c.account == second).values(merged_into=first))

    few.write(merge).result()
    site = Asker(context(few))
    assert site.ask(f"/api/accounts/{second}").json()["id"] == first
    assert site.ask("/api/accounts").json()["total"] == len(few.ids) - 1


def test_a_part_leads_to_the_whole_and_the_whole_to_its_parts(few):
    whole, part = few.ids[:2]

    def adopt(connection):
        connection.execute(
            schema.links.insert().values(reference="salesforce:account:hq", account=whole, how="record", at=0.0)
        )
        connection.execute(
            update(schema.profiles).where(schema.profiles.c.account == part).values(parent="salesforce:account:hq")
        )

    few.write(adopt).result()
    site = Asker(context(few))
    assert site.ask(f"/api/accounts/{part}").json()["parent"] == whole
    assert site.ask(f"/api/accounts/{whole}").json()["parts"] == [part]
    assert f'href="/accounts/{whole}"' in site.ask(f"/accounts/{part}").text
    assert f'href="/accounts/{part}"' in site.ask(f"/accounts/{whole}").text


def test_deliveries_and_dead_letters_are_told(site):
    told = site.ask("/api/deliveries?limit=3").json()
    assert {place["sink"] for place in told["destinations"]} == {"salesforce", "zendesk", "email"}
    assert len(told["receipts"]) == 3
    assert told["receipts"][0]["fields"] == {"Health__c": 41, "Health_Band__c": "watch"}
    failed = site.ask("/api/deliveries?outcome=failed").json()["receipts"]
    assert {one["outcome"] for one in failed} <= {"retry", "reject"}
    dead = site.ask("/api/deadletters?state=open&connection=stripe").json()
    assert dead["open"] == 6
    assert {one["reason"] for one in dead["dead_letters"]} == {"invoice has no customer"}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/accounts?limit=-1", 400, "bad_parameter"),
        ("/api/accounts?limit=501", 400, "bad_parameter"),
        ("/api/accounts?limit=many", 400, "bad_parameter"),
        ("/api/accounts?cursor=garbage", 400, "bad_cursor"),
        ("/api/accounts?cursor=%F0%9F%92%A9", 400, "bad_cursor"),
        ("/api/accounts?cursor=bnVsbA", 400, "bad_cursor"),
        ("/api/accounts?cursor=" + "W" * 1999, 400, "bad_cursor"),
        ("/api/accounts?sort=secret", 400, "bad_parameter"),
        ("/api/accounts?band=red", 400, "bad_parameter"),
        ("/api/accounts?q=" + "x" * 10_240, 400, "bad_parameter"),
        ("/api/accounts/nobody", 404, "unknown_account"),
        ("/api/accounts/nobody/ledger", 404, "unknown_account"),
        ("/api/accounts/a/b/c", 404, "not_found"),
        ("/api/nothing", 404, "not_found"),
        ("/api/deadletters?state=lost", 400, "bad_parameter"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_code(site, path, status, code):
    answer = site.ask(path)
    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert answer.json().keys() == {"code", "message"}


@pytest.mark.parametrize("text", ["é", "\u202e", "%00", "%ff%fe", "'; drop table accounts; --", "%", "_", "💚"])
def test_any_text_may_be_searched_for(site, text):
    assert site.ask(f"/api/accounts?q={text}").status_code == 200
    assert site.ask(f"/?q={text}").status_code == 200
    assert site.ask(f"/api/accounts/{text}x").status_code == 404


def test_a_cursor_of_another_order_is_refused(site):
    cursor = site.ask("/api/accounts?limit=1&sort=-mrr").json()["next"]
    assert "sort=-mrr" in site.ask(f"/api/accounts?sort=name&cursor={cursor}").json()["message"]


def test_a_wrong_method_is_refused_in_json(site):
    answer = site.ask("/api/accounts", "DELETE")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


def test_the_openapi_document_describes_every_route_and_its_refusals(site):
    told = site.ask("/api/openapi.json").json()
    assert {"/api/accounts", "/api/accounts/{reference}", "/api/deliveries", "/healthz", "/metrics"} <= told[
        "paths"
    ].keys()
    for path, methods in told["paths"].items():
        for method in methods.values():
            assert method["summary"], path
            if path.startswith("/api"):
                assert method["responses"]["4XX"]["content"]["application/json"]["schema"]["$ref"].endswith("/Problem")
    assert "HTTPValidationError" not in json.dumps(told)


def test_alive_is_not_able(filled):
    site = Asker(context(filled, ready=lambda: ["the log does not answer"]))
    assert site.ask("/healthz").json() == {"status": "ok"}
    answer = site.ask("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the log does not answer"]


def test_a_room_that_stands_still_elsewhere_takes_no_door_out_of_service(filled):
    halt = Halt(room="sinks.fields", reason="no route to postgresql://pulsehub:hunter2@db", since=0.0)
    answer = Asker(context(filled, halted=lambda: [halt])).ask("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (200, [])


def test_metrics_are_what_prometheus_reads(site, filled):
    found = {}
    for family in text_string_to_metric_families(site.ask("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    assert found["pulsehub_events_received_total"][0].value == 7_964
    assert sum(sample.value for sample in found["pulsehub_accounts"]) == len(filled.ids)
    assert {sample.labels["room"] for sample in found["pulsehub_room_lag_records"]} >= {"scoring.rescore"}
