import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import create_engine, make_url, text

import hub
from hub.store import migrations, schema
from hub.store.database import Database

SQLITE = """
    select 'column', t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk, t.wr
    from pragma_table_list() t, pragma_table_info(t.name) c where t.name not like 'sqlite%'
    union all
    select 'index', tbl_name, name, sql, 0, null, 0, 0 from sqlite_schema where type = 'index' and sql is not null
"""
POSTGRESQL = """
    select 'column', table_name, column_name, data_type, is_nullable, column_default, collation_name
    from information_schema.columns where table_schema = current_schema()
    union all
    select 'index', tablename, indexname, indexdef, '', '', '' from pg_indexes where schemaname = current_schema()
"""


def tables(connection):
    """All there is to know of them, in no order but its own."""
    rows = connection.execute(text(SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL))
    return sorted(str(tuple(row)) for row in rows)


def engine_of(url):
    return create_engine(make_url(url).set(drivername="postgresql+psycopg") if "postgres" in url else url)


def stepwise(url, to=None):
    """Make the tables step by step, as a database got them that was there from the beginning."""
    made = engine_of(url)
    with made.begin() as connection:
        migrations.upgrade(connection, to)
        found = tables(connection)
    made.dispose()
    return found


def meta(database):
    with database.read() as connection:
        return dict(connection.execute(schema.meta.select()).all())


def test_the_steps_lead_to_the_tables_that_programs_know(bare, database):
    """Whoever changes hub/store/schema adds a step to hub/store/migrations, and the other way."""
    with database.read() as connection:
        assert stepwise(bare) == tables(connection)


def test_a_database_of_release_0_1_0_takes_the_steps_it_lacks(bare, database):
    stepwise(bare, 1)
    made = engine_of(bare)
    with made.begin() as connection:  # that release kept no record of steps, and did not say who may work on it
        connection.execute(text("drop table alembic_version"))
        connection.execute(schema.meta.insert().values(key="schema", value="1"))
        connection.execute(schema.links.insert().values(reference="crm:1", account="acc_1", how="record", at=1.0))
    made.dispose()
    with Database(bare) as opened, opened.read() as connection, database.read() as new:
        assert meta(opened) == {"schema": str(schema.VERSION), "speaks": str(schema.SPEAKS)}
        assert connection.scalars(schema.links.select()).all() == ["crm:1"]
        assert tables(connection) == tables(new)


def test_who_opens_it_finds_nothing_to_do(bare):
    Database(bare).close()
    opens = f"import sys; from hub.store.database import Database; Database({bare!r}); print('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", opens], capture_output=True, text=True, check=True).stdout == "False\n"


def test_many_may_open_an_empty_one_at_once(bare):
    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(Database, [bare] * 6))
    assert [meta(one) for one in opened] == [{"schema": str(schema.VERSION), "speaks": str(schema.SPEAKS)}] * 6
    for one in opened:
        one.close()


def test_who_opens_a_file_waits_for_another_that_is_just_making_it(tmp_path):
    path = tmp_path / "bare.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other, ThreadPoolExecutor() as pool:
        other.execute("begin immediate")
        opening = pool.submit(Database, f"sqlite:///{path}")
        with pytest.raises(TimeoutError):
            opening.result(0.3)
        other.execute("commit")
        with opening.result() as opened:
            assert meta(opened)["schema"] == str(schema.VERSION)


def newer(url, speaks):
    with Database(url) as database:
        said = {"schema": schema.VERSION + 1, "speaks": speaks}
        for key, value in said.items():
            database.write(
                lambda c, key=key, value=value: c.execute(
                    schema.meta.update().where(schema.meta.c.key == key).values(value=str(value))
                )
            ).result()


def test_a_program_works_beside_a_newer_one_that_lets_it(bare):
    newer(bare, speaks=schema.VERSION)
    with Database(bare) as database:
        assert meta(database)["schema"] == str(schema.VERSION + 1)


def test_a_program_keeps_off_what_only_newer_ones_understand(bare):
    newer(bare, speaks=schema.VERSION + 1)
    with pytest.raises(hub.ConfigError, match=f"has schema {schema.VERSION + 1}"):
        Database(bare)


def test_what_is_somebody_elses_stays_as_it_is(bare):
    made = engine_of(bare)
    with made.begin() as connection:
        connection.execute(text("create table theirs (id integer primary key)"))
    with pytest.raises(hub.ConfigError, match="not one of ours"):
        Database(bare)
    with made.connect() as connection:
        assert {row.split("'")[3] for row in tables(connection)} == {"theirs"}
    made.dispose()
