"""What the door answers, over real HTTP."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib

from pydantic import BaseModel

import hub


def record(number, company="c1", **more):
    return {"id": str(number), "company": company, **more}


def eventually(holds):
    deadline = time.monotonic() + 10
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def test_a_wrong_key_is_401(front):
    answer = front.post([record(1)], x_key="open")

    assert answer.status_code == 401
    assert answer.json() == {"code": "bad_signature", "message": "x-key is not PULSEHUB_ACME_KEY"}
    assert not front.records("raw")


def test_what_the_source_does_not_speak_is_400(front):
    for body in (b"{}", b"", b"not json", b"\xff\xfe", b"[" * 100_000):
        answer = front.post(body)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed"), body[:20]


def test_an_unknown_connection_is_404(front):
    for path in ("/in/nobody", "/in/", "/in/acme/", "/in/acme/x", "/in/%00"):
        answer = front.post([], path=path)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_connection"), path


def test_another_method_is_405_and_says_which_is_right(front):
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = front.http.request(method, "/in/acme")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert answer.json()["code"] == "method_not_allowed"


def test_an_encoding_nobody_unpacks_is_415_and_says_which_are(front):
    for encoding in ("br", "gzip, gzip", "zstd", "x"):
        answer = front.post(b"[]", content_encoding=encoding)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_encoding")
        assert "gzip" in answer.headers["accept-encoding"]


def test_packed_bodies_are_unpacked(front):
    body = json.dumps([record(1)]).encode()
    for encoding, packed in (
        ("gzip", gzip.compress(body)),
        ("GZIP", gzip.compress(body[:5]) + gzip.compress(body[5:])),
        ("deflate", zlib.compress(body)),
        ("identity", body),
    ):
        assert front.post(packed, content_encoding=encoding).status_code == 200, encoding


def test_a_packed_body_that_is_broken_is_400(front):
    whole = gzip.compress(b"[]" * 1000)
    for packed in (whole[:-4], whole[:-9], whole[:5], b"[]", whole + b"more", b"\x1f\x8b"):
        answer = front.post(packed, content_encoding="gzip")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_encoding")


def test_a_body_too_large_is_413_before_and_after_unpacking(open_front):
    front = open_front(max_body=10_000)
    spaces = b"[" + b" " * 10_000 + b"]"
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) > 10_000

    assert front.post(spaces).status_code == 413
    assert front.post(gzip.compress(spaces), content_encoding="gzip").status_code == 413
    assert front.post(bomb, content_encoding="gzip").status_code == 413
    assert front.post(gzip.compress(b" " * 9_000_000)[:9_999], content_encoding="gzip").status_code == 413
    streamed = front.http.post("/in/acme", content=iter([b" " * 6_000] * 2), headers={"x-key": "sesame"})
    assert (streamed.status_code, streamed.json()["code"]) == (413, "too_large")
    assert front.post(b"[" + b" " * 9_998 + b"]").status_code == 200


def test_on_a_sources_own_path_every_final_refusal_is_400_and_the_code_names_it(open_front):
    front = open_front(max_body=2_000)
    own = "/v1/acme"
    assert front.post([record(1)], path=own).json()["accepted"] == 1
    for answer, code in (
        (front.post([], path=own, x_key="open"), "bad_signature"),
        (front.post(b"{}", path=own), "malformed"),
        (front.post(b" " * 3_000, path=own), "too_large"),
        (front.post(b"", path=own, content_encoding="br"), "unsupported_encoding"),
        (front.http.get(own), "method_not_allowed"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_nearly_full_disk_is_503(open_front):
    answer = open_front(min_free_disk=2**62).post([record(1)])

    assert (answer.status_code, answer.json()["code"]) == (503, "disk_full")
    assert "retry-after" in answer.headers


def test_a_log_that_cannot_be_written_is_503_and_what_comes_later_is_taken(front):
    connection = front.log._writing
    pages = connection.execute("pragma page_count").fetchone()[0]
    connection.execute(f"pragma max_page_count={pages}")
    big = [record(n, text="x" * 900) for n in range(400)]

    refused = front.post(big)
    connection.execute("pragma max_page_count=1000000")
    taken = front.post(big)

    assert (refused.status_code, refused.json()["code"]) == (503, "cannot_keep")
    assert "retry-after" in refused.headers
    assert taken.json() == {"accepted": 400, "duplicates": 0, "dead_lettered": 0}
    assert len(front.events()) == 400


def test_a_body_that_does_not_come_is_408_and_others_are_served_meanwhile(open_front):
    front = open_front(patience=0.5)
    host, port = front.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as slow:
        slow.sendall(b"POST /in/acme HTTP/1.1\r\nhost: x\r\nx-key: sesame\r\ncontent-length: 100\r\n\r\n[")
        assert front.post([record(1)]).status_code == 200
        assert slow.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_a_client_that_hangs_up_in_the_middle_leaves_nothing_behind(front):
    host, port = front.url.removeprefix("http://").split(":")
    for _ in range(20):
        with socket.create_connection((host, int(port)), timeout=10) as rude:
            rude.sendall(b"POST /in/acme HTTP/1.1\r\nhost: x\r\nx-key: sesame\r\ncontent-length: 100\r\n\r\n[")

    assert front.post([record(1)]).json()["accepted"] == 1
    assert eventually(lambda: front.door._budget.left == 128 * 1_048_576)
    assert len(front.events()) == 1


def test_more_bodies_than_memory_is_set_aside_for_are_asked_to_come_later(open_front):
    front = open_front(max_body=1_000, patience=2)
    host, port = front.url.removeprefix("http://").split(":")
    head = b"POST /in/acme HTTP/1.1\r\nhost: x\r\nx-key: sesame\r\ncontent-length: 1000\r\n\r\n["
    waiting = [socket.create_connection((host, int(port)), timeout=10) for _ in range(129)]
    for one in waiting:
        one.sendall(head + b" " * 990)
    assert eventually(lambda: front.door._budget.left < 900)
    refused = front.post(b" " * 900)
    for one in waiting:
        one.close()

    assert eventually(lambda: front.door._budget.left == 128_000)
    assert (refused.status_code, refused.json()["code"]) == (503, "too_busy")
    assert front.post([record(1)]).status_code == 200


def test_hostile_records_are_dead_letters_and_never_a_failure(front):
    hostile = [
        b'{"id": "1", "company": "c", "value": NaN}',
        b'{"id": "1", "company": "c", "value": 1e400}',
        b'{"id": "1", "company": "c", "value": ' + b"9" * 400 + b"}",
        b'{"id": "1", "company": "c", "amount": "NaN", "currency": "USD"}',
        b'{"id": "1", "company": "c", "amount": "1e999999", "currency": "USD"}',
        b'{"id": "1", "company": "c", "amount": "5"}',
        b'{"id": "1", "company": "c", "amount": "5", "currency": "usd"}',
        b'{"id": "' + b"x" * 300 + b'", "company": "c"}',
        b'{"id": "1", "company": "' + b"x" * 300 + b'"}',
        b'{"id": "1", "company": "c", "at": "1969-01-01T00:00:00Z"}',
        b'{"id": "1", "company": "c", "at": "0001-01-01T00:00:00+23:59"}',
        b'{"id": "1", "company": "c", "at": "9999-12-31T23:59:59-23:59"}',
        b'{"id": "1", "company": "c", "at": "2026-01-01T00:00:00"}',
        b'{"id": "1", "company": "c", "properties": {"deep": {"er": 1}}}',
        b'{"id": "1", "company": "c", "properties": {"deep": Infinity}}',
        b'{"id": "1", "company": "c", "properties": {"n": ' + b"9" * 400 + b"}}",
        b'{"id": "1", "company": "c", "properties": []}',
        b'{"id": "1", "company": "c", "kind": 5}',
        b'{"id": "1", "company": "c", "text": ["x"]}',
        b'{"id": "1", "id": null, "company": "c", "company": null, "kind": null}',
    ]
    for body in hostile:
        answer = front.post(b"[" + body + b"]")
        assert answer.status_code == 200, body[:80]
        assert answer.json() == {"accepted": 0, "duplicates": 0, "dead_lettered": 1}, body[:80]
    assert front.post(b'[{"id": ' + b"9" * 500_000 + b', "company": "c"}]').status_code == 400
    assert not front.events()
    assert len({letter.id for letter in front.letters()}) == len(hostile)


def test_a_source_that_crashes_while_verifying_refuses(open_front):
    class Crashing:
        name = vendor = "crash"
        paths = ()
        keeps_raw = False
        remembers = None

        def verify(self, hook, now):
            raise TypeError("bytes where str was due")

        def decode(self, hook, now):
            raise AssertionError

        def normalize(self, raw):
            raise AssertionError

    answer = open_front(Crashing()).post([], path="/in/crash")
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")


def test_a_dead_letters_reason_is_one_line_that_names_the_field(open_front):
    class Ticket(BaseModel):
        id: int

    class Strict(type(open_front().source)):
        def normalize(self, raw):
            Ticket.model_validate_json(raw.body)
            raise hub.RejectedError("of a kind nobody knows")

    front = open_front(Strict())
    front.post([{"id": "secret"}, {"id": 1}])

    assert sorted(one.reason.partition(",")[0] for one in front.letters()) == [
        "id: Input should be a valid integer",
        "of a kind nobody knows",
    ]


def test_what_normalize_yields_may_be_anything_but_an_event(open_front):
    class Odd:
        name = vendor = "odd"
        paths = ()
        keeps_raw = False
        remembers = None

        def verify(self, hook, now):
            pass

        def decode(self, hook, now):
            return [hub.Raw(body=b"x", received_at=now)]

        def normalize(self, raw):
            yield {"id": "no event"}

    answer = open_front(Odd()).post([], path="/in/odd")
    assert answer.json() == {"accepted": 0, "duplicates": 0, "dead_lettered": 1}
