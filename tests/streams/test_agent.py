import asyncio
import logging

import pytest
from sqlalchemy import text

import hub
from hub.store.database import ContendedError
from hub.streams.books import Books
from hub.streams.room import DeadLetter, Message, Step
from hub.streams.streams import Streams
from hub.streams.testing import run_until_idle, until_idle
from hub.streams.topics import DEAD_LETTERS, EVENTS, HEALTH
from tests.streams.kit import PARTITIONS, Keeper, entry, numbers, until


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
    streams = place.streams(room)
    going, held = asyncio.Event(), asyncio.Event()

    async def run():
        async with streams:
            loop = asyncio.get_running_loop()

            def hold(*_):
                loop.call_soon_threadsafe(going.set)
                asyncio.run_coroutine_threadsafe(held.wait(), loop).result(10)

            room.before = hold
            place.append(b"one")
            await going.wait()
            place.append(*numbers(0, 9_000))
            await asyncio.sleep(0.5)
            held.set()
            await until_idle(streams)

    asyncio.run(run())
    assert sum(room.batches) == 9_001
    assert room.batches[:2] == [1, 4_000]
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


def test_sequences_of_an_attempt_that_came_to_nothing_are_given_again(place, monkeypatch):
    """Others may be in a transaction's way; when it is run again, it may find that there is nothing to say any more."""
    room, write, attempts = Keeper(says=HEALTH), Books.write, []
    step = room.step

    def once_in_the_way(books, connection, progress):
        write(books, connection, progress)
        if len(attempts) == 1:
            raise ContendedError("somebody was quicker")

    def at_first(connection, batch):
        attempts.append(len(batch))
        return Step() if len(attempts) == 2 else step(connection, batch)

    monkeypatch.setattr(Books, "write", once_in_the_way)
    room.step = at_first
    streams = place.streams(room)

    async def run():
        async with streams:
            for times, value in ((2, b"one"), (3, b"two")):
                place.append(value, key=b"key")
                await until(lambda times=times: len(attempts) == times)
                await until_idle(streams)

    asyncio.run(run())
    assert [(record.value, record.sequence) for record in place.said()] == [(b"two", 1)]


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

    def crash(connection):  # as it leaves things: committed, and not one of it in the log
        connection.execute(text("update outlets set next = next + 1"))
        for row in connection.execute(text("select partition, next from outlets")).all():
            connection.execute(
                text("insert into outgoing values ('test.keep', 'health', :p, :s, :key, :value)"),
                {"p": row.partition, "s": row.next - 1, "key": b"a", "value": b"b"},
            )

    place.database.write(crash).result()
    before = len(place.said())
    run_until_idle(place.streams(Keeper(says=HEALTH)))
    late = place.said()[before:]
    assert [record.value for record in place.said()].count(b"b") == PARTITIONS
    assert len(late) == PARTITIONS


def test_partitions_that_come_back_to_their_worker_leave_nothing_in_the_outbox(place):
    place.append(*numbers(0, 20))

    async def run():
        streams = place.streams(Keeper(says=HEALTH))
        async with streams:
            (agent,) = streams._all()
            await until(lambda: len(place.said()) == 20 and agent.publisher.idle)
            await agent.assigned(range(PARTITIONS))  # within the second in which nobody wrote how far it got

    asyncio.run(run())
    with place.database.read() as connection:
        assert connection.scalar(text("select count(*) from outgoing")) == 0


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
    assert streams.lag() == {}  # nothing is ours yet
    run_until_idle(streams)
    place.append(*numbers(0, 50))
    assert sum(streams.lag().values()) == 50
    run_until_idle(streams)
    assert set(streams.lag()) == {("test.keep", "events", partition) for partition in range(PARTITIONS)}
    assert sum(streams.lag().values()) == 0


def test_trimming_waits_for_the_slowest_room(embedded):
    embedded.append(*numbers(0, 100))
    run_until_idle(embedded.streams(Keeper()))
    embedded.append(*numbers(100, 110))
    streams = embedded.streams(Keeper())
    assert streams.trim(now=3e9) == 100
    run_until_idle(streams)
    assert embedded.offsets("test.keep")["applied"] == 110


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
