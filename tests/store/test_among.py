import pytest
from sqlalchemy import func, insert, select

from hub.store import schema
from hub.store.among import Among, among
from hub.store.database import Database
from tests.engines import url

META = schema.meta
pytestmark = pytest.mark.usefixtures("engine")
STRANGE = ["it's", "?", "/*keys*/", '"', "%s", "a,b", "ünï"]


def _database(path, keys):
    database = Database(url(path))
    rows = [{"key": key, "value": f"of {key}"} for key in keys]
    database.write(lambda connection: connection.execute(insert(META), rows)).result()
    return database


def test_keys_are_taken_as_they_are_whatever_they_say(tmp_path):
    with _database(tmp_path, STRANGE) as database, database.read() as connection:
        found = {row.key: row.value for row in among(connection, select(META), META.c.key, [*STRANGE, "not there"])}
    assert found == {key: f"of {key}" for key in STRANGE}


def test_more_keys_than_one_query_takes_are_all_found(tmp_path):
    keys = [f"k{number}" for number in range(1_234)]
    with _database(tmp_path, keys) as database, database.read() as connection:
        assert sorted(row.key for row in among(connection, select(META), META.c.key, set(keys))) == sorted(keys)


def test_what_the_statement_asks_besides_holds_too(tmp_path):
    with _database(tmp_path, STRANGE) as database, database.read() as connection:
        asked = select(META.c.key).where(META.c.value.in_(["of it's", "of ?", "of /*keys*/"]))
        assert {row.key for row in among(connection, asked, META.c.key, STRANGE)} == {"it's", "?", "/*keys*/"}
        counted = select(META.c.value, func.count().label("many")).group_by(META.c.value)
        assert sum(row.many for row in among(connection, counted, META.c.key, ["?", "%s"])) == 2


def test_of_no_keys_there_are_no_rows(tmp_path):
    with _database(tmp_path, STRANGE) as database, database.read() as connection:
        assert list(among(connection, select(META), META.c.key, [])) == []


def test_a_key_may_be_several_columns(tmp_path):
    pairs = [(key, f"of {key}") for key in STRANGE]
    with _database(tmp_path, STRANGE) as database, database.read() as connection:
        question = Among(select(META), META.c.key, META.c.value)
        assert sorted(tuple(row) for row in question.rows(connection, [*pairs, ("?", "of something else")])) == sorted(
            pairs
        )
        assert list(question.rows(connection, [])) == []
