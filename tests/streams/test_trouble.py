import asyncio
import logging
import sqlite3

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from hub.store.database import Database
from hub.streams.room import Step
from hub.streams.sqlite.log import SqliteLog
from hub.streams.streams import Streams
from hub.streams.testing import run_until_idle, until_idle
from hub.streams.topics import DEAD_LETTERS, HEALTH
from tests.streams.kit import Keeper, numbers, until


def names(caplog):
    return [record.getMessage() for record in caplog.records]


def test_a_poisonous_record_is_dead_lettered_and_the_rest_of_its_batch_applied(place, caplog):
    room = Keeper()

    def before(_, batch):
        if bad := [record.value for record in batch if record.value in {b"000013", b"000077"}]:
            raise ValueError(f"cannot read {bad[0].decode()}")

    room.before = before
    place.append(*numbers(0, 100))
    run_until_idle(place.streams(room))
    assert sorted(room.applied) == [value for value in numbers(0, 100) if value not in {b"000013", b"000077"}]
    letters = [msgspec.json.decode(record.value) for record in place.said(DEAD_LETTERS)]
    assert sorted(letter["reason"] for letter in letters) == [
        "ValueError: cannot read 000013",
        "ValueError: cannot read 000077",
    ]
    first = next(letter for letter in letters if "13" in letter["reason"])
    assert first["stage"] == "apply"
    assert first["context"]["account"] == "000013"
    assert msgspec.convert(first["body"], bytes, strict=True) == b"000013"
    books = place.offsets(room.name)
    assert (books["next"], books["applied"], books["dead_lettered"]) == (100, 98, 2)
    assert names(caplog).count("streams.dead_lettered") == 2


def test_a_room_that_can_apply_nothing_ends_with_everything_dead_lettered(place):
    room = Keeper()

    def before(*_):
        raise RuntimeError("a mistake of ours")

    room.before = before
    place.append(*numbers(0, 30))
    run_until_idle(place.streams(room))
    assert place.offsets(room.name)["dead_lettered"] == 30
    assert len(place.said(DEAD_LETTERS)) == 30


def test_a_dead_letter_that_cannot_be_applied_is_not_sent_round_and_round(place):
    room = Keeper(topic=DEAD_LETTERS)

    def before(*_):
        raise ValueError("no")

    room.before = before
    place.append(b"letter", topic=DEAD_LETTERS)
    run_until_idle(place.streams(room))
    assert len(place.said(DEAD_LETTERS)) == 1
    assert place.offsets(room.name)["dead_lettered"] == 1


def test_a_database_that_fails_stops_the_room_and_nothing_is_lost_or_counted_twice(place, caplog):
    caplog.set_level(logging.INFO)
    room, follower = Keeper(says=HEALTH), Keeper("test.follow", HEALTH)
    failures = iter(range(3))

    def before(*_):
        if next(failures, None) is not None:
            raise OperationalError("select secret", {}, sqlite3.OperationalError("disk I/O error"))

    async def run():
        async with place.streams(room, follower) as streams:
            await until(streams.ready)  # who loads its partitions has heard of the database, and that ends an outage
            room.before = before
            place.append(*numbers(0, 500))
            await until_idle(streams)

    asyncio.run(run())
    assert sorted(room.applied) == sorted(follower.applied) == numbers(0, 500)
    assert place.offsets(room.name)["applied"] == 500
    assert names(caplog).count("streams.database_down") == 1
    assert names(caplog).count("streams.database_back") == 1
    assert "secret" not in caplog.text
    assert room.assigned > 1  # what it holds in memory is taken from the database again


def test_a_commit_that_fails_is_tried_again(embedded):
    room = Keeper(says=HEALTH)
    embedded.append(*numbers(0, 100))
    streams = embedded.streams(room)
    pages: list[int] = []

    def fill(connection, _):  # a full disk, for a moment: no page may be added
        if not pages:
            pages.append(connection.scalar(text("pragma page_count")))
            connection.execute(text(f"pragma max_page_count={pages[0]}"))
            connection.execute(text("insert into meta values ('big', zeroblob(1000000))"))
        connection.execute(text("pragma max_page_count=1000000"))

    def before(connection, batch):
        try:
            fill(connection, batch)
        except OperationalError:
            connection.exec_driver_sql("pragma max_page_count=1000000")
            raise

    room.before = before
    run_until_idle(streams)
    assert sorted(room.applied) == numbers(0, 100)
    assert sorted(record.value for record in embedded.said()) == numbers(0, 100)


def test_whoever_claims_last_works_and_the_other_stops_and_says_so(embedded, caplog):
    first, second = Keeper(), Keeper()
    theirs = Database(str(embedded.database.url))
    their_log = SqliteLog(embedded.folder / "streams.db")

    async def run():
        streams = embedded.streams(first)
        async with streams:
            embedded.append(*numbers(0, 10))
            await until_idle(streams)
            others = Streams(theirs, their_log)
            others.add(second, app="scoring")
            async with others:
                embedded.append(*numbers(10, 20))
                await until_idle(others)
                await until(lambda: streams.failed is not None)
            return streams.failed, streams.halted()

    said = asyncio.run(run())
    their_log.close()
    theirs.close()
    why = "another process has claimed test.keep"
    assert said == (why, {"test.keep": why})
    assert sorted(first.applied) == numbers(0, 10)
    assert sorted(second.applied) == numbers(10, 20)
    assert embedded.offsets("test.keep")["applied"] == 20
    assert "streams.fenced" in names(caplog)


def test_a_tick_that_raises_harms_nothing(place, caplog):
    class Clock(Keeper):
        tick_every = 0.01

        def tick(self, connection):
            raise ValueError("no time")

    room = Clock()

    async def run():
        streams = place.streams(room)
        async with streams:
            await until(lambda: "streams.tick_failed" in names(caplog))
            place.append(b"event")
            await until_idle(streams)

    asyncio.run(run())
    assert room.applied == [b"event"]


def test_what_a_room_holds_is_loaded_again_when_its_after_raises(place, caplog):
    class Forgetful(Keeper):
        def step(self, connection, batch):
            step = super().step(connection, batch)

            def after():
                step.after()
                if len(self.batches) == 1:
                    raise KeyError("forgotten")

            return Step(after=after)

    room = Forgetful()

    async def run():
        streams = place.streams(room)
        async with streams:
            place.append(b"one")
            await until_idle(streams)
            place.append(b"two")
            await until(lambda: room.applied == [b"one", b"two"])

    asyncio.run(run())
    assert room.assigned == 2
    assert place.offsets(room.name)["applied"] == 2
    assert "streams.after_failed" in names(caplog)


def test_a_log_that_is_full_delays_messages_and_loses_none(embedded, caplog):
    caplog.set_level(logging.INFO)
    room = Keeper(says=HEALTH)
    streams = embedded.streams(room)
    embedded.append(*numbers(0, 200))
    pages = embedded.log._do(lambda c: c.execute("pragma page_count").fetchone()[0]).result()
    embedded.log._writing.execute(f"pragma max_page_count={pages}")

    async def run():
        async with streams:
            await until(lambda: "streams.publishing_stopped" in names(caplog))
            assert len(room.applied) == 200
            assert not streams.idle()
            embedded.log._writing.execute("pragma max_page_count=1000000")
            await until_idle(streams)

    asyncio.run(run())
    assert sorted(record.value for record in embedded.said()) == numbers(0, 200)
    assert "streams.publishing_resumed" in names(caplog)
