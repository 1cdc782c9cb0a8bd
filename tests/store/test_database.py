"""What every engine keeps to; and, further down, what only a server can get wrong."""

import os
import threading

import pytest
from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

import hub
from hub.store import schema
from hub.store.among import Among
from hub.store.bulk import insert_rows, run_rows
from hub.store.database import ContendedError, Database
from hub.store.upserts import insert as upsert
from tests import engines

META, LINKS, OFFSETS = schema.meta, schema.links, schema.offsets
ONCE = upsert(META).on_conflict_do_nothing()
NEWEST = upsert(META).on_conflict_do_update(index_elements=["key"], set_={"value": upsert(META).excluded.value})
ALWAYS = insert(META)
CHANGE = update(META).where(META.c.key == bindparam("k")).values(value=bindparam("v"))
MANY = (1, 3, 1_200)  # and in more than one statement


def values(connection):
    asked = select(META).where(META.c.key.not_in(["schema", "speaks"])).order_by(META.c.key)
    return {row.key: row.value for row in connection.execute(asked)}


def run(database, job):
    return database.write(job).result(30)


def rows(many, value="v", first=0):
    return [(f"k{n:04}", f"{value}{n}") for n in range(first, first + many)]


@pytest.mark.parametrize("many", MANY)
def test_rows_that_are_there_stay_and_are_not_counted(database, many):
    assert run(database, lambda c: run_rows(c, ONCE, rows(many))) == many
    assert run(database, lambda c: run_rows(c, ONCE, rows(many + 2, "w"))) == 2
    with database.read() as connection:
        assert values(connection) == dict(rows(many) + rows(2, "w", many))


@pytest.mark.parametrize("many", MANY)
def test_rows_that_are_there_are_changed_and_counted(database, many):
    assert run(database, lambda c: run_rows(c, NEWEST, rows(many))) == many
    assert run(database, lambda c: run_rows(c, NEWEST, rows(many + 2, "w"))) == many + 2
    assert run(database, lambda c: run_rows(c, CHANGE, [("x", "k0000"), ("x", "nobody")])) == 1
    with database.read() as connection:
        assert values(connection) == dict(rows(many + 2, "w")) | {"k0000": "x"}


@pytest.mark.parametrize("many", MANY)
def test_a_row_that_may_not_be_there_twice_undoes_the_whole_job(database, many):
    run(database, lambda c: run_rows(c, ALWAYS, rows(1)))
    with pytest.raises(DBAPIError):
        run(database, lambda c: run_rows(c, ALWAYS, rows(many)))
    assert run(database, lambda c: run_rows(c, ALWAYS, rows(many, first=1))) == many  # the connection is well


def test_upserts_of_one_transaction_do_not_see_each_others_rows_and_one_undone_leaves_nothing(database):
    def twice(connection):
        return run_rows(connection, NEWEST, rows(50)), run_rows(connection, NEWEST, rows(60, "w", 100))

    def fail(connection):
        run_rows(connection, NEWEST, rows(50, "bad"))
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run(database, fail)
    assert run(database, twice) == (50, 60)
    assert run(database, twice) == (50, 60)
    with database.read() as connection:
        assert values(connection) == dict(rows(50) + rows(60, "w", 100))


def test_what_is_read_is_of_one_moment(database):
    with database.read() as connection:
        before = values(connection)
        run(database, lambda c: run_rows(c, ALWAYS, rows(3)))
        assert values(connection) == before
    with database.read() as connection:
        assert len(values(connection)) == 3


def test_many_rows_are_read_a_chunk_at_a_time(database):
    run(database, lambda c: run_rows(c, ALWAYS, rows(2_000)))
    with database.read() as connection:
        chunks = connection.execute(select(META).execution_options(yield_per=300)).partitions()
        assert [len(chunk) for chunk in chunks] == [300] * 6 + [202]


def test_sums_and_bytes_come_as_what_they_are(database):
    row = {"room": "r", "topic": "t", "partition": 0, "next": 2**40}
    run(database, lambda c: c.execute(insert(OFFSETS), [row, row | {"partition": 1}]))
    body = bytes(range(256))
    run(database, lambda c: c.execute(insert(schema.seen).values(digest=body, forget=0)))
    with database.read() as connection:
        total = connection.scalar(select(func.sum(OFFSETS.c.next)))
        assert (type(total), total) == (int, 2**41)
        assert connection.scalars(select(schema.seen.c.digest)).all() == [body]


def test_texts_sort_by_their_bytes(database):
    keys = ["a", "B", "b", "Z", "ä", "a b", "a-c", "_", "~"]
    run(database, lambda c: c.execute(insert(META), [{"key": key, "value": ""} for key in keys]))
    with database.read() as connection:
        found = [key for key in connection.scalars(select(META.c.key).order_by(META.c.key)) if key in keys]
        assert found == sorted(keys, key=str.encode)
        assert connection.scalar(select(func.max(META.c.key))) == "ä"


def test_a_job_that_says_others_are_in_its_way_is_run_again_alone(database):
    ran = []

    def job(connection):
        ran.append(run_rows(connection, ONCE, rows(1)))
        if len(ran) < 3:
            raise ContendedError("somebody was quicker")
        return len(ran)

    gate = threading.Event()
    database.write(lambda _: gate.wait(10))
    neighbour, contended = database.write(lambda c: run_rows(c, ONCE, rows(1, first=9))), database.write(job)
    gate.set()
    assert contended.result(10) == 3
    assert neighbour.result(10) == 1
    assert ran == [1, 1, 1]  # what it had written was undone each time


def test_after_some_attempts_whoever_asked_is_told(database):
    def job(_connection):
        raise ContendedError("somebody was quicker")

    with pytest.raises(ContendedError, match="after 5 attempts: somebody was quicker"):
        run(database, job)
    assert run(database, lambda c: run_rows(c, ONCE, rows(1))) == 1


# --- a server ---------------------------------------------------------------------------------------------------------

server = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


@server
def test_of_two_that_wait_for_each_other_both_get_through(database, tmp_path):
    first, second = rows(2)
    run(database, lambda c: run_rows(c, ALWAYS, [first, second]))
    ready, goes = threading.Barrier(2, timeout=10), []

    def crossing(mine, others):
        def job(connection):
            run_rows(connection, CHANGE, [("x", mine)])
            if mine not in goes:  # the first time, both hold theirs before they ask for the other's
                goes.append(mine)
                ready.wait()
            return run_rows(connection, CHANGE, [("x", others)])

        return job

    with Database(engines.url(tmp_path)) as other:
        futures = database.write(crossing(first[0], second[0])), other.write(crossing(second[0], first[0]))
        assert [future.result(30) for future in futures] == [1, 1]


def end_all(others):
    """End every connection of a database but that of who asks, as a restart of the server would."""
    mine = "datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
    ended = text(f"select pg_terminate_backend(pid) from pg_stat_activity where {mine}")
    run(others, lambda c: c.execute(ended).all())


@server
def test_connections_that_broke_are_new_ones_at_the_next_turn(database, tmp_path):
    with Database(engines.url(tmp_path)) as other:
        with database.read() as connection:
            assert values(connection) == {}
        end_all(other)
        assert run(database, lambda c: run_rows(c, NEWEST, rows(100))) == 100
        with database.read() as connection:
            assert len(values(connection)) == 100
        end_all(other)
        futures = [database.write(lambda c, n=n: run_rows(c, NEWEST, rows(100, first=n))) for n in range(5)]
        assert [future.result(10) for future in futures] == [100] * 5


@server
def test_a_connection_that_breaks_within_a_job_fails_that_job_at_most(database, tmp_path):
    with Database(engines.url(tmp_path)) as other:

        def job(connection):
            run_rows(connection, NEWEST, rows(100, "half"))
            end_all(other)
            return run_rows(connection, NEWEST, rows(100, "done"))

        with pytest.raises(DBAPIError):
            run(database, job)
        with database.read() as connection:
            assert values(connection) == {}
        assert run(database, lambda c: run_rows(c, NEWEST, rows(100))) == 100


@server
def test_what_was_read_cannot_be_written_through_and_nobody_waits_for_ever(database):
    with database.read() as connection, pytest.raises(DBAPIError, match="read-only"):
        run_rows(connection, ALWAYS, rows(1))

    def limits(connection):
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        return [connection.scalar(text(f"show {name}")) for name in names]

    assert run(database, limits) == ["1min", "5s", "30s"]


@server
def test_a_plan_made_while_a_table_was_empty_does_not_read_all_that_came_since(database):
    seen = Among(select(schema.seen.c.digest), schema.seen.c.digest)
    digests = [number.to_bytes(16) for number in range(20_000)]

    def scans(connection):
        return connection.scalar(text("select seq_tup_read from pg_stat_xact_user_tables where relname = 'seen'"))

    def ask(connection):
        return [
            len(list(seen.rows(connection, digests[:500]))) for _ in range(10)
        ]  # its plan is kept from the sixth on

    run(database, ask)
    run(database, lambda c: insert_rows(c, insert(schema.seen), [(digest, 0) for digest in digests]))
    assert run(database, lambda c: (ask(c)[-1], scans(c))) == (500, 0)


@server
def test_texts_lose_what_the_server_cannot_hold(database):
    run(database, lambda c: (run_rows(c, ALWAYS, [("a\0b", "\0")]), run_rows(c, NEWEST, [*rows(99), ("c\0", "\0d")])))
    with database.read() as connection:
        found = values(connection)
    assert (found["ab"], found["c"]) == ("", "d")


def _told(url, error=hub.ConfigError):
    with pytest.raises(error) as caught:
        Database(url)
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


@server
def test_who_cannot_use_it_is_told_what_to_do(bare):
    there = engines.make_url(bare).set(password="hunter2")
    elsewhere = [
        (there.set(database="nobody_made_it"), "CREATE DATABASE nobody_made_it OWNER pulsehub ENCODING 'UTF8'"),
        (there.set(username="nobody"), "check user and password in PULSEHUB_DATABASE_URL"),
    ]
    for url, advice in elsewhere:
        assert advice in _told(url.render_as_string(hide_password=False))
    away = there.set(port=1).render_as_string(hide_password=False)
    assert "see that it runs, and that PULSEHUB_DATABASE_URL names its host and port" in _told(
        away, hub.RetryLaterError
    )
    engines.ask(there.database, "revoke all on schema public from public, pg_database_owner")
    assert "GRANT USAGE, CREATE ON SCHEMA public TO pulsehub" in _told(there.render_as_string(hide_password=False))


@server
def test_a_database_of_another_alphabet_is_refused(engine):
    name = engines.new("LATIN1")
    assert "ENCODING 'UTF8' TEMPLATE template0" in _told(engines.server_url(name))


@server
def test_a_url_may_be_written_the_way_others_write_it(bare):
    with Database(bare.replace("postgresql://", "postgres://") + "?sslmode=prefer&application_name=other") as database:
        with database.read() as connection:
            assert connection.scalar(text("show application_name")) == "other"
        assert database.name == bare
    assert os.environ[engines.VARIABLE].startswith("postgresql://")


def test_what_is_no_database_of_ours_is_refused():
    assert "no URL" in _told("hunter2")
    assert "not a database this version runs on" in _told("mysql://root:hunter2@localhost/x")
