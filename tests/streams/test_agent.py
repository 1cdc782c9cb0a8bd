import asyncio
import logging
import sqlite3

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

import hub
from hub.store.database import Database
from hub.streams.log import Log
from hub.streams.room import DeadLetter, Message, Step
from hub.streams.streams import Streams
from hub.streams.testing import run_until_idle, until_idle
from hub.streams.topics import DEAD_LETTERS, EVENTS, HEALTH
from tests.streams.kit import PARTITIONS, Keeper, entry, numbers, until


def names(caplog):
    return [record.getMessage() for record in caplog.records]


def test_every_record_is_applied_once_and_the_offsets_say_so(place):
    room = Keeper()
    place.append(*numbers(0, 1000))
    run_until_idle(place.streams(room))
    assert sorted(room.applied) == numbers(0, 1000)
    assert place.offsets(room.name) == {
        "next": 1000,
        "applied": 1000,
        "duplicates": 0,
        "dead_lettered": 0,
        "forwarded": 0,
    }


def test_a_restart_goes_on_where_the_database_stands(place):
    place.append(*numbers(0, 100))
    run_until_idle(place.streams(Keeper()))
    place.append(*numbers(100, 150))
    room = Keeper()
    run_until_idle(place.streams(room))
    assert sorted(room.applied) == numbers(100, 150)


def test_a_batch_grows_until_the_room_takes_it_and_is_one_record_when_idle(place):
    room = Keeper()
    streams = place.streams(room)
    going, held = asyncio.Event(), asyncio.Event()

    async def run():
        async with streams:
            place.append(b"one")
            await until(lambda: room.batches == [1])
            loop = asyncio.get_running_loop()

            def hold(*_):
                loop.call_soon_threadsafe(going.set)
                asyncio.run_coroutine_threadsafe(held.wait(), loop).result(10)

            room.before = hold
            place.append(b"two")
            await going.wait()
            for n in range(30):
                await asyncio.wrap_future(place.log.append([entry(b"%d" % n)]))
            await asyncio.sleep(0.1)
            held.set()
            await until_idle(streams)

    asyncio.run(run())
    assert room.batches == [1, 1, 30]


def test_a_batch_that_nobody_takes_stops_growing(place):
    room = Keeper()
    place.append(*numbers(0, 9_000))
    run_until_idle(place.streams(room))
    assert sum(room.batches) == 9_000
    assert max(room.batches) == 4_000


def test_messages_out_carry_a_sequence_without_gaps(place):
    place.append(*numbers(0, 200))
    run_until_idle(place.streams(Keeper(says=HEALTH)))
    place.append(*numbers(200, 300))
    run_until_idle(place.streams(Keeper(says=HEALTH)))
    for partition in range(PARTITIONS):
        mine = [record for record in place.said() if record.partition == partition]
        assert [record.sequence for record in mine] == list(range(1, len(mine) + 1))
        assert {record.producer for record in mine} == {"test.keep"}
    assert sorted(record.value for record in place.said()) == numbers(0, 300)
    with place.database.read() as connection:
        assert connection.scalar(text("select count(*) from outgoing")) == 0


def test_a_message_that_comes_twice_is_applied_once_and_counted_as_a_duplicate(place):
    place.append(*numbers(0, 20))
    run_until_idle(place.streams(Keeper(says=HEALTH)))
    again = [
        entry(record.value, "health", record.key)._replace(producer=record.producer, sequence=record.sequence)
        for record in place.said()
    ]
    follower = Keeper("test.follow", HEALTH)
    place.log.append(again).result()
    run_until_idle(place.streams(follower))
    place.log.append(again).result()
    run_until_idle(place.streams(follower))
    assert sorted(follower.applied) == numbers(0, 20)
    books = place.offsets("test.follow")
    assert (books["next"], books["applied"], books["duplicates"]) == (60, 20, 40)


def test_publishing_goes_on_from_the_outbox_after_a_restart(place):
    place.append(*numbers(0, 50))
    run_until_idle(place.streams(Keeper(says=HEALTH)))
    with place.database.engine.connect() as connection, connection.begin():
        # as a crash leaves it: committed, and not one of it in the log
        connection.execute(text("update outlets set next = next + 1"))
        for row in connection.execute(text("select partition, next from outlets")).all():
            connection.execute(
                text("insert into outgoing values ('test.keep', 'health', :p, :s, x'61', x'62')"),
                {"p": row.partition, "s": row.next - 1},
            )
    before = len(place.said())
    run_until_idle(place.streams(Keeper(says=HEALTH)))
    late = place.said()[before:]
    assert [record.value for record in place.said()].count(b"b") == PARTITIONS
    assert len(late) == PARTITIONS


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


def test_what_a_step_says_of_its_records_is_what_the_books_count(place):
    class Sorting(Keeper):
        def step(self, connection, batch):
            dead = [DeadLetter(record, "no account", "stripe", "1") for record in batch if record.value == b"d"]
            kinds = [record.value for record in batch]
            return Step(duplicates=kinds.count(b"t"), forwarded=kinds.count(b"f"), dead=dead)

    place.append(b"a", b"a2", b"d", b"t", b"f")
    run_until_idle(place.streams(Sorting()))
    assert place.offsets("test.keep") == {"next": 5, "applied": 2, "duplicates": 1, "dead_lettered": 1, "forwarded": 1}
    assert [record.key for record in place.said(DEAD_LETTERS)] == [b"stripe"]


def test_a_database_that_fails_stops_the_room_and_nothing_is_lost_or_counted_twice(place, caplog):
    caplog.set_level(logging.INFO)
    room, follower = Keeper(says=HEALTH), Keeper("test.follow", HEALTH)
    failures = iter(range(3))

    def before(*_):
        if next(failures, None) is not None:
            raise OperationalError("select secret", {}, sqlite3.OperationalError("disk I/O error"))

    room.before = before
    place.append(*numbers(0, 500))
    run_until_idle(place.streams(room, follower))
    assert sorted(room.applied) == sorted(follower.applied) == numbers(0, 500)
    assert place.offsets(room.name)["applied"] == 500
    assert names(caplog).count("streams.database_down") == 1
    assert names(caplog).count("streams.database_back") == 1
    assert "secret" not in caplog.text
    assert room.assigned > 1  # what it holds in memory is taken from the database again


def test_a_commit_that_fails_is_tried_again(place):
    room = Keeper(says=HEALTH)
    place.append(*numbers(0, 100))
    streams = place.streams(room)
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
    assert sorted(record.value for record in place.said()) == numbers(0, 100)


def test_whoever_claims_last_works_and_the_other_stops_and_says_so(place, caplog):
    first, second = Keeper(), Keeper()
    theirs = Database(str(place.database.url))
    their_log = Log(place.folder / "streams.db")

    async def run():
        streams = place.streams(first)
        async with streams:
            place.append(*numbers(0, 10))
            await until_idle(streams)
            others = Streams(theirs, their_log)
            others.add(second, app="scoring")
            async with others:
                place.append(*numbers(10, 20))
                await until_idle(others)
                await until(lambda: streams.failed is not None)
            return streams.failed

    said = asyncio.run(run())
    their_log.close()
    theirs.close()
    assert said == "another process has claimed test.keep"
    assert sorted(first.applied) == numbers(0, 10)
    assert sorted(second.applied) == numbers(10, 20)
    assert place.offsets("test.keep")["applied"] == 20
    assert "streams.fenced" in names(caplog)


def test_time_passes_for_a_room_that_asks_and_its_messages_leave(place):
    class Clock(Keeper):
        tick_every = 0.01

        def tick(self, connection):
            n = len(self.applied) + 1
            if n > 5:
                return None
            value = b"tick %d" % n
            return Step(publish={HEALTH: [Message(b"clock", value)]}, after=lambda: self.applied.append(value))

    room = Clock()

    async def run():
        streams = place.streams(room)
        async with streams:
            await until(lambda: len(place.said()) == 5)

    asyncio.run(run())
    assert [record.value for record in place.said()] == [b"tick %d" % n for n in range(1, 6)]
    assert [record.sequence for record in place.said()] == [1, 2, 3, 4, 5]


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


def test_a_log_that_is_full_delays_messages_and_loses_none(place, caplog):
    caplog.set_level(logging.INFO)
    room = Keeper(says=HEALTH)
    streams = place.streams(room)
    place.append(*numbers(0, 200))
    pages = place.log._do(lambda c: c.execute("pragma page_count").fetchone()[0]).result()
    place.log._writing.execute(f"pragma max_page_count={pages}")

    async def run():
        async with streams:
            await until(lambda: "streams.publishing_stopped" in names(caplog))
            assert len(room.applied) == 200
            assert not streams.idle()
            place.log._writing.execute("pragma max_page_count=1000000")
            await until_idle(streams)

    asyncio.run(run())
    assert sorted(record.value for record in place.said()) == numbers(0, 200)
    assert "streams.publishing_resumed" in names(caplog)


def test_several_rooms_of_several_apps_share_one_loop(place):
    counting, following, labels = Keeper(says=HEALTH), Keeper("test.follow", HEALTH), Keeper("test.other", EVENTS)
    streams = Streams(place.database, place.log)
    streams.add(counting, app="scoring")
    streams.add(following, app="scoring")
    streams.add(labels, app="success")
    place.append(*numbers(0, 300))
    run_until_idle(streams)
    assert sorted(counting.applied) == sorted(following.applied) == sorted(labels.applied) == numbers(0, 300)


def test_rooms_that_would_take_each_others_batches_are_refused(place):
    streams = place.streams(Keeper())
    with pytest.raises(hub.ConfigError, match=r"two rooms are called test\.keep"):
        streams.add(Keeper(), app="other")
    with pytest.raises(hub.ConfigError, match="read topic events"):
        streams.add(Keeper("test.second"), app="test.keep")


def test_the_lag_is_what_is_in_the_log_and_not_committed(place):
    streams = place.streams(Keeper())
    place.append(*numbers(0, 50))
    assert sum(streams.lag().values()) == 50
    run_until_idle(streams)
    assert set(streams.lag()) == {("test.keep", "events", partition) for partition in range(PARTITIONS)}
    assert sum(streams.lag().values()) == 0


def test_trimming_waits_for_the_slowest_room(place):
    place.append(*numbers(0, 100))
    run_until_idle(place.streams(Keeper()))
    place.append(*numbers(100, 110))
    streams = place.streams(Keeper())
    assert streams.trim(now=3e9) == 100
    run_until_idle(streams)
    assert place.offsets("test.keep")["applied"] == 110


def test_starting_and_stopping_can_be_done_twice_and_logs_nothing(place, caplog):
    caplog.set_level(logging.INFO)
    room = Keeper()
    streams = place.streams(room)
    place.append(b"a")
    run_until_idle(streams)
    place.append(b"b")
    run_until_idle(streams)
    assert room.applied == [b"a", b"b"]
    assert [record for record in caplog.records if record.name.startswith(("hub", "faust", "mode"))] == []
