"""Dead letters, and what becomes of them; bodies read again by a mended plugin."""

from __future__ import annotations

import json

import msgspec
import pytest

from hub.ingest.deadletters import Dead, DeadLetters, counted, letter_id, listed, shown
from hub.ingest.replay import Replay, replay_raw
from hub.streams.dead import letter as apply_letter
from hub.streams.log import Entry
from hub.streams.room import DeadLetter
from hub.streams.streams import Streams
from hub.streams.testing import run_until_idle


def record(number, company="c1", **more):
    return {"id": str(number), "company": company, **more}


@pytest.fixture
def settle(database, log):
    """Let the room of dead letters take all there is."""

    def run():
        streams = Streams(database, log)
        streams.add(DeadLetters(), app="ingest")
        run_until_idle(streams)

    return run


@pytest.fixture
def letters(database):
    def read(state="open"):
        with database.read() as connection:
            return listed(connection, state=state)

    return read


def test_a_dead_letter_ends_in_the_table_with_its_bytes_and_its_reason(front, settle, letters):
    front.post([{"id": "1"}])
    settle()

    (letter,) = letters()
    assert (letter.stage, letter.connection, letter.version) == ("normalize", "acme", "acme 1.0")
    assert json.loads(letter.body) == {"id": "1"}
    assert letter.context["path"] == "/in/acme"


def test_the_same_letter_again_is_one_row(front, settle, letters, database):
    for _ in range(3):
        front.post([{"id": "1"}])
    settle()

    assert len(letters()) == 1
    with database.read() as connection:
        assert counted(connection) == {"open": 1}
        assert shown(connection, letters()[0].id) == letters()[0]
        assert shown(connection, "dl_nothing") is None


def test_pages_of_letters_follow_each_other_without_gaps(front, settle, database):
    front.post([{"id": str(n)} for n in range(7)])
    settle()

    with database.read() as connection:
        everything = listed(connection)
        first = listed(connection, limit=4)
        rest = listed(connection, limit=4, after=(first[-1].at, first[-1].id))
    assert [*first, *rest] == everything
    assert len(everything) == 7


def test_a_letter_that_cannot_be_read_is_kept_as_one_about_itself(log, settle, letters):
    log.append([Entry("dead-letters", 0, b"x", b"not json", 1.0)]).result()
    settle()

    (letter,) = letters()
    assert letter.body == b"not json"
    assert "cannot be read" in letter.reason


def test_replayed_with_a_mended_plugin_a_letter_becomes_its_event(front, settle, letters):
    front.post([{"id": "1", "kind": "usage.tracked"}])
    front.post([record(2, kind="nonsense")])
    settle()
    broken, nonsense = sorted(letters(), key=lambda one: b"nonsense" in one.body)

    front.source.normalize = lambda raw: type(front.source)().normalize(
        type(raw)(body=msgspec.json.encode({"company": "mended", **json.loads(raw.body)}), received_at=raw.received_at)
    )
    done = Replay(front.database, front.intake, [front.source]).run()

    assert (done.letters, done.accepted, done.duplicates) == (1, 1, 0)
    assert done.failed == {nonsense.id: "kind is not of the shape subject.past_tense"}
    assert [e.account for e in front.events()] == ["acme:company:mended"]
    assert [one.id for one in letters("replayed")] == [broken.id]
    assert [one.id for one in letters()] == [nonsense.id]


def test_replayed_twice_a_letter_gives_its_event_once(front, settle, letters):
    front.post([{"both": [record(1), record(2, kind="nonsense")]}])
    settle()
    (letter,) = letters()
    replay = Replay(front.database, front.intake, [front.source])

    first, second = replay.run([letter.id]), replay.run([letter.id])

    assert (first.accepted, first.duplicates, first.letters) == (0, 1, 0)
    assert (second.accepted, second.duplicates) == (0, 1)
    assert len(front.events()) == 1


def test_a_letter_that_dies_again_after_a_replay_is_open_again(front, settle, letters, database):
    front.post([{"id": "1"}])
    settle()
    with database.read() as connection:
        (letter,) = listed(connection)
    from_settings = Replay(front.database, front.intake, [front.source])
    from_settings._mark(letter.id, state="replayed")
    assert not letters()

    front.post([{"id": "1"}])
    settle()

    assert [one.id for one in letters()] == [letter.id]


def test_an_event_that_could_not_be_applied_goes_back_where_it_was(front, settle, letters):
    front.post([record(1)])
    (was,) = front.records("events")
    message = apply_letter("scoring.rescore", "events", DeadLetter(was, "no room", "acme"), 1.0)
    front.log.append([Entry("dead-letters", 0, message.key, message.value, 1.0)]).result()
    settle()

    done = Replay(front.database, front.intake, [front.source]).run()

    assert (done.letters, done.accepted, done.failed) == (1, 1, {})
    again = front.records("events")[-1]
    assert (again.partition, again.key, again.value) == (was.partition, was.key, was.value)
    assert not letters()


def test_a_delivery_is_handed_to_its_destination(front, settle, letters, log):
    handed = []
    for sink in ("email", "gone"):
        dead = Dead(
            id=letter_id("deliver", sink, b"k"), at=1.0, stage="deliver", connection=sink, reason="bounced", body=b"{}"
        )
        log.append([Entry("dead-letters", 0, sink.encode(), msgspec.json.encode(dead), 1.0)]).result()
    settle()

    done = Replay(
        front.database, front.intake, [], deliver=lambda one: one.connection == "email" and not handed.append(one.id)
    ).run()

    assert handed == [letter_id("deliver", "email", b"k")]
    assert list(done.failed.values()) == ["gone is not configured"]
    assert [one.connection for one in letters("replayed")] == ["email"]


def test_what_is_no_letter_or_has_no_source_any_more_says_so(front, settle, letters):
    front.post([{"id": "1"}])
    settle()
    (letter,) = letters()

    done = Replay(front.database, front.intake, []).run([letter.id, "dl_nothing"])

    assert done.failed == {letter.id: "acme is not configured", "dl_nothing": "there is no such dead letter"}
    assert letters()[0].reason == "acme is not configured"


def test_bodies_read_again_by_a_mended_plugin_give_what_is_new_and_repeat_nothing(front):
    front.post([record(1), {"id": "2"}])
    front.post([record(3)])
    mended = type(front.source)()
    plain = mended.normalize
    mended.normalize = lambda raw: plain(
        type(raw)(body=msgspec.json.encode({"company": "mended", **json.loads(raw.body)}), received_at=raw.received_at)
    )

    *_, done = replay_raw(mended, front.log, front.intake, since=0.0)

    assert (done.accepted, done.duplicates, done.failed) == (1, 2, {})
    assert sorted(e.id for e in front.events()) == ["acme:1", "acme:2", "acme:3"]


def test_only_bodies_of_that_connection_since_then_are_read_again(front, now):
    front.post([record(1)])
    other = type(front.source)(name="other")

    *_, nothing = replay_raw(front.source, front.log, front.intake, since=now.timestamp() + 60)
    *_, neither = replay_raw(other, front.log, front.intake, since=0.0)

    assert (nothing.duplicates, neither.duplicates) == (0, 0)


def test_a_kept_body_that_the_plugin_cannot_cut_any_more_is_named(front):
    front.post([record(1)])

    def refuse(hook, now):
        raise ValueError("changed its mind")

    front.source.decode = refuse
    *_, done = replay_raw(front.source, front.log, front.intake, since=0.0)

    assert list(done.failed.values()) == ["the body is not what acme speaks"]


def test_facts_that_run_together_are_told_apart_in_an_id():
    assert letter_id("apply", "", b"ab", b"c") != letter_id("apply", "", b"a", b"bc")
