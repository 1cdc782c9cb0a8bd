"""What the door keeps, on each engine: a log and a database that are files, Kafka and PostgreSQL."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.ingest.dedupe import digest_of
from hub.store import schema


@pytest.fixture
def front(open_everywhere):
    """By default Acme's."""
    return open_everywhere()


def record(number, company="c1", **more):
    return {"id": str(number), "company": company, **more}


def test_an_event_is_accepted_once_it_is_on_the_log(front):
    answer = front.post([record(1)])

    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "duplicates": 0, "dead_lettered": 0})
    (event,) = front.events()
    assert (event.id, event.connection, event.account) == ("acme:1", "acme", "acme:company:c1")
    assert event.received_at is not None
    assert event.received_at.utcoffset() is not None


def test_the_record_key_is_our_account_and_decides_the_partition(front):
    front.post([record(1, "a"), record(2, "b"), record(3, "a")])

    keys = {json.loads(r.value)["id"]: (r.key, r.partition) for r in front.records("events")}
    assert keys["acme:1"] == keys["acme:3"]
    assert keys["acme:1"][0] != keys["acme:2"][0]
    assert keys["acme:1"][0].startswith(b"acc_")


def test_what_is_known_is_a_duplicate_and_is_not_appended_again(front):
    front.post([record(1)])
    answer = front.post([record(1), record(2), record(2)])

    assert answer.json() == {"accepted": 1, "duplicates": 2, "dead_lettered": 0}
    assert sorted(e.id for e in front.events()) == ["acme:1", "acme:2"]
    assert front.log.counters()["door_duplicates"] == 2


def test_ids_applied_before_the_process_started_are_known(front):
    front.database.write(
        lambda c: c.execute(schema.seen.insert().values(digest=digest_of("acme", "acme:1"), forget=0))
    ).result()

    assert front.post([record(1), record(2)]).json() == {"accepted": 1, "duplicates": 1, "dead_lettered": 0}


def test_a_record_that_cannot_be_normalized_is_a_dead_letter_and_the_rest_is_taken(front):
    answer = front.post([record(1), {"id": "2"}, record(3)])

    assert answer.json() == {"accepted": 2, "duplicates": 0, "dead_lettered": 1}
    (letter,) = front.letters()
    assert (letter.stage, letter.connection, letter.version) == ("normalize", "acme", "acme 1.0")
    assert json.loads(letter.body) == {"id": "2"}
    assert "company" in letter.reason
    assert front.log.counters() == {"door_dead_lettered": 1}


def test_an_event_that_breaks_a_rule_is_a_dead_letter_beside_the_good_one(front):
    answer = front.post([{"both": [record(1), record(2, kind="nonsense")]}])

    assert answer.json() == {"accepted": 1, "duplicates": 0, "dead_lettered": 1}
    assert front.letters()[0].reason == "kind is not of the shape subject.past_tense"


def test_the_body_is_kept_raw_without_what_proves_who_sent_it(front):
    front.post([record(1)], x_other="stays", x_acme_signature="goes")

    (raw,) = front.records("raw")
    kept = json.loads(raw.value)
    assert kept["headers"]["x-other"] == "stays"
    assert "x-key" not in kept["headers"]
    assert "x-acme-signature" not in kept["headers"]


def test_a_body_of_nothing_but_repeats_is_not_kept_again(front):
    for _ in range(2):
        front.post([record(1)])

    assert len(front.records("raw")) == 1


def test_too_much_lag_is_503_with_a_time_to_come_back(open_everywhere):
    front = open_everywhere(max_lag=2)
    assert front.post([record(n) for n in range(3)]).status_code == 200
    time.sleep(0.6)
    for path in ("/in/acme", "/v1/acme"):
        answer = front.post([record(9)], path=path)
        assert (answer.status_code, answer.json()["code"]) == (503, "too_far_behind")
        assert int(answer.headers["retry-after"]) > 0
    assert len(front.events()) == 3


def test_many_at_once_are_each_counted_once(front):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: front.post([record(n), record(f"x{n}")]).json(), range(100)))

    assert sum(a["accepted"] for a in answers) == 200 == len(front.events())


def test_texts_are_cleaned_of_what_no_database_holds(front):
    body = b'[{"id": "1", "company": "c\\u0000", "text": "a\\u0000b\\ud800c", "properties": {"k\\u0000": "\\udfff"}}]'

    assert front.post(body).json()["accepted"] == 1
    (event,) = front.events()
    assert (event.account, event.text, event.properties) == ("acme:company:c", "ab?c", {"k": "?"})
