"""Rows that are sent ahead are as if each had been waited for, on every engine; only the last tests tell."""

import logging
import threading

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from hub.store import schema
from hub.store.among import Among
from hub.store.database import Database, insert_rows, run_rows
from hub.store.question import Question
from tests import engines

pytestmark = pytest.mark.usefixtures("engine")
META, SEEN = schema.meta, schema.seen
NEW, FIRST = insert(META), insert(SEEN)
NAMED = Among(select(META.c.key, META.c.value), META.c.key)
server = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


def rows(many, first=0):
    return [(f"k{n:05}", f"v{n}") for n in range(first, first + many)]


def run(database, job):
    return database.write(job).result(30)


def held(database):
    with database.read() as connection:
        return connection.scalar(select(func.count()).where(META.c.key.like("k%")))


def test_what_is_read_behind_them_is_them(database):
    def job(connection):
        insert_rows(connection, NEW, rows(1_500))
        named = {row.key: row.value for row in NAMED.rows(connection, ["k00001", "k01499", "nobody"])}
        insert_rows(connection, NEW, rows(2, 1_500))
        streamed = select(META.c.key).where(META.c.key.like("k%")).execution_options(yield_per=1_000)
        chunks = [len(chunk) for chunk in connection.execute(streamed).partitions()]
        insert_rows(connection, NEW, rows(1, 1_502))
        return named, chunks, connection.scalar(select(func.count()).where(META.c.key.like("k%")))

    assert run(database, job) == ({"k00001": "v1", "k01499": "v1499"}, [1_000, 502], 1_503)
    assert held(database) == 1_503


def test_an_answer_is_of_the_moment_of_its_question(database):
    many = Question(select(func.count().label("many")).where(META.c.key.like("k%")))

    def job(connection):
        before = many.ask(connection)
        insert_rows(connection, NEW, rows(3))
        after = many.ask(connection)
        return [[row.many for row in answer()] for answer in (after, before, after)]

    assert run(database, job)[:2] == [[3], [0]]


def test_an_answer_says_what_went_wrong_before_its_question(database):
    run(database, lambda c: insert_rows(c, NEW, rows(1)))
    anything = Question(select(META.c.key))

    def job(connection):
        insert_rows(connection, NEW, rows(1))
        anything.ask(connection)()

    with pytest.raises(IntegrityError):
        run(database, job)
    assert held(database) == 1


def test_what_is_wrong_with_them_undoes_their_job_and_no_other(database):
    run(database, lambda c: insert_rows(c, NEW, rows(1)))
    gate = threading.Event()
    waiting = database.write(lambda _: gate.wait(10))
    many = [0, 1, 2, 3, 4]  # handed in together, committed together
    futures = [database.write(lambda c, n=n: insert_rows(c, NEW, rows(10, 10 * n))) for n in many]
    gate.set()
    assert waiting.result(10)
    assert [type(future.exception(30)) for future in futures] == [IntegrityError] + [type(None)] * 4
    assert held(database) == 41


def test_what_is_wrong_with_them_is_told_by_the_next_question_at_the_latest(database):
    run(database, lambda c: insert_rows(c, NEW, rows(1)))
    told = []

    def job(connection):
        try:
            insert_rows(connection, NEW, rows(1))
            list(NAMED.rows(connection, ["k00000"]))
        except DBAPIError as error:
            told.append(type(error))
            raise

    with pytest.raises(IntegrityError):
        run(database, job)
    assert set(told) == {IntegrityError}
    assert run(database, lambda c: len(list(NAMED.rows(c, ["k00000"])))) == 1


def test_a_job_that_fails_with_some_under_way_says_its_own_reason_and_nothing_is_logged(database, caplog):
    def job(connection):
        insert_rows(connection, NEW, rows(2_000))
        raise OSError("disk full")

    with caplog.at_level(logging.WARNING), pytest.raises(OSError, match="disk full"):
        run(database, job)
    assert not caplog.records
    run(database, lambda c: insert_rows(c, NEW, rows(3)))
    assert held(database) == 3


def test_more_than_the_way_there_holds_arrives(database):
    wide = [(f"k{n}", "x" * 40_000) for n in range(1_000)]  # 40 MB

    def job(connection):
        insert_rows(connection, NEW, wide)
        insert_rows(connection, FIRST, [(n.to_bytes(16), 0) for n in range(5_000)])
        return len(list(NAMED.rows(connection, ["k0", "k999"])))

    assert run(database, job) == 2
    assert held(database) == 1_000


@server
def test_a_transaction_of_nobodys_job_is_undone_too(database):
    database.write(lambda c: insert_rows(c, NEW, rows(1))).result(10)
    engine = database._kind.writing
    with pytest.raises(IntegrityError), engine.begin() as connection:
        insert_rows(connection, NEW, rows(2))
    with engine.begin() as connection:
        insert_rows(connection, NEW, rows(1, 1))
    assert held(database) == 2


@server
def test_nobody_waits_for_rows_until_somebody_asks(database, tmp_path):
    """The server itself waits here, for a row that another transaction holds: what sends it goes on meanwhile."""
    began, sent, ended = threading.Event(), threading.Event(), threading.Event()

    def first(connection):
        run_rows(connection, FIRST, [(b"held", 0)])
        began.set()
        return sent.wait(10) and not ended.wait(0.2)

    def second(connection):
        insert_rows(connection, FIRST, [(b"held", 0)])
        sent.set()
        connection.scalar(select(func.count()).select_from(META))
        ended.set()

    with Database(engines.url(tmp_path)) as other:
        future = database.write(first)
        began.wait(10)
        late = other.write(second)
        assert future.result(20) is True  # had it waited for the row, nobody would have said that it is sent
        assert late.exception(20) is not None


@server
def test_who_loses_a_race_for_an_id_is_run_again_and_sees_who_won(database, tmp_path):
    both, tries = threading.Barrier(2, timeout=10), []
    known = Among(select(SEEN.c.digest), SEEN.c.digest)

    def take(connection):
        tries.append(there := len(list(known.rows(connection, [b"same"]))))
        if len(tries) <= 2:
            both.wait()  # neither has written, both have looked
        if not there:
            insert_rows(connection, FIRST, [(b"same", 0)])
        return there

    with Database(engines.url(tmp_path)) as other:
        futures = database.write(take), other.write(take)
        assert sorted(future.result(30) for future in futures) == [0, 1]
    assert sorted(tries) == [0, 0, 1]
