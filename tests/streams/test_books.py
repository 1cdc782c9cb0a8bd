"""Records that the log let go of unread are booked by the step that comes up to them, and once."""

from hub.store.database import Database
from hub.streams.books import Books, Gone
from hub.streams.room import Record


def held(database: Database) -> Books:
    """Partition 0, where nothing was done yet."""
    books = Books("test.keep", "events")
    claim = database.write(lambda connection: books.claim(connection, [0])).result()
    with database.read() as connection:
        books.load(connection, claim)
    return books


def records(*offsets):
    return [Record(0, offset, 0.0, b"key", b"value") for offset in offsets]


def test_records_that_are_in_hand_come_before_what_is_gone_behind_them(database):
    books = held(database)
    books.gone.append(Gone(0, 5, 30))
    fresh, progress = books.fresh(records(0, 1, 2))
    assert (len(fresh), progress.next, progress.gone) == (3, {0: 3}, 0)
    books.accept(progress)
    assert not books.fresh([])[1].next  # 3 and 4 were read and are not applied yet
    fresh, progress = books.fresh(records(3, 4))
    assert (len(fresh), progress.next, progress.gone) == (2, {0: 30}, 25)
    books.accept(progress)
    assert books.fresh(records(30))[1].gone == 0


def test_a_batch_on_both_sides_of_what_is_gone_books_it(database):
    books = held(database)
    books.gone += [Gone(0, 2, 10), Gone(0, 11, 20)]
    fresh, progress = books.fresh(records(0, 1, 10, 20, 21))
    assert (len(fresh), progress.next, progress.gone) == (5, {0: 22}, 17)


def test_a_step_that_is_done_again_books_it_again_and_not_twice(database):
    books = held(database)
    books.gone.append(Gone(0, 1, 4))
    assert books.fresh(records(0))[1].gone == 3
    fresh, progress = books.fresh(records(0))  # the database had failed
    assert (len(fresh), progress.next, progress.gone) == (1, {0: 4}, 3)
    books.accept(progress)
    assert not books.fresh(records(0))[1].next


def test_who_is_given_partitions_anew_finds_it_again_by_reading(database):
    books = held(database)
    books.gone.append(Gone(0, 0, 4))
    database.write(lambda connection: books.claim(connection, [0])).result()
    assert not books.fresh([])[1].next
