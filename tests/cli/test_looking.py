"""Commands that only look make nothing and change nothing, on either engine; a slip in a URL is a sentence."""

import asyncio

import psycopg
import pytest

from hub.store.database import Database
from hub.streams import belonging
from tests import engines
from tests.backup import kit
from tests.cli.test_wrong_use import LOOKING, sentence
from tests.e2e.kit import document
from tests.streams.kafka.cluster import cluster, forget
from tests.streams.test_belonging import topics


@pytest.fixture
def broker():
    with cluster() as url:
        yield url


@pytest.fixture(params=["postgresql"])
def engine(request):
    """Only the server: files are in `test_wrong_use` and `test_backup`."""
    yield from engines.engine.__wrapped__(request)


@pytest.fixture
def large(bare, broker):
    return {"PULSEHUB_DATABASE_URL": bare, "PULSEHUB_BROKER_URL": broker, "PULSEHUB_PARTITIONS": "4"}


def tables(url):
    with psycopg.connect(url) as connection:
        return connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()


def everything(tmp_path):
    return [*LOOKING, ("streams",), ("backup", str(tmp_path / "backup")), ("merge", "x", "y")]


def test_without_an_installation_on_the_server_none_is_made(run, tmp_path, large):
    for command in everything(tmp_path):
        sentence(run(tmp_path / "data", *command, settings=large), 1, "there is no installation in postgresql://")
    assert tables(large["PULSEHUB_DATABASE_URL"]) == []
    assert topics(large["PULSEHUB_BROKER_URL"]) == []
    assert not (tmp_path / "backup").exists()


def test_where_only_the_tables_were_made_there_is_nothing_to_back_up_and_no_topic_is_made(run, tmp_path, large):
    document(tmp_path / "data", "migrate", settings=large)
    sentence(run(tmp_path / "data", "backup", tmp_path / "backup", settings=large), 1, "there is nothing at kafka://")
    told = document(tmp_path / "data", "streams", settings=large)
    assert (told["rooms"], sum(one["records"] for one in told["topics"])) == ([], 0)
    assert topics(large["PULSEHUB_BROKER_URL"]) == []
    assert not (tmp_path / "backup").exists()


def test_with_a_mistyped_prefix_nothing_happens_and_the_right_one_goes_on(run, tmp_path, large):
    broker = large["PULSEHUB_BROKER_URL"]
    ours = kit.settings(tmp_path / "ours", large["PULSEHUB_DATABASE_URL"], broker, partitions=4)
    kit.score(ours, range(50))
    wrong = large | {"PULSEHUB_BROKER_URL": f"{broker}-wrong"}
    looking = [("streams",), ("streams", "--give-up"), ("backup", tmp_path / "backup")]
    for command in (*looking, ("deadletters", "replay", "--all"), ("worker",), ("web", "--port", "0")):
        sentence(run(ours.data, *command, settings=wrong), 2, "belongs to prefix test-")
    told = document(ours.data, "doctor", settings=wrong, status=1)
    assert any("--adopt" in check["says"] for check in told["checks"])
    here = large | {"PULSEHUB_BROKER_URL": ""}
    sentence(run(ours.data, "up", "--port", "0", settings=here), 2, "the log is to be a file")
    assert topics(f"{broker}-wrong") == []
    assert kit.score(ours, range(50, 60)).applied == 60


def test_a_log_that_is_another_now_takes_a_persons_word(run, tmp_path, large):
    broker = large["PULSEHUB_BROKER_URL"]
    ours = kit.settings(tmp_path / "ours", large["PULSEHUB_DATABASE_URL"], f"{broker}-gone", partitions=4)
    kit.score(ours, range(50))
    after = kit.settings(tmp_path / "ours", large["PULSEHUB_DATABASE_URL"], broker, partitions=4)
    told = run(ours.data, "streams", "--adopt", settings=large)
    assert (told.returncode, "the next start goes on there" in told.stderr) == (0, True), told.stderr
    assert topics(broker) == []
    kit.score(after)
    assert kit.score(after, range(50, 60)).applied == 60
    sentence(
        run(ours.data, "streams", settings=large | {"PULSEHUB_BROKER_URL": f"{broker}-gone"}), 2, "belongs to prefix"
    )
    asyncio.run(forget(f"{broker}-gone"))


def test_a_file_that_is_gone_is_not_made_by_who_looks(run, tmp_path):
    ours = kit.settings(tmp_path / "ours")
    kit.score(ours, range(10))
    for file in ours.data.glob("streams.db*"):
        file.unlink()
    for command in (("streams",), ("backup", tmp_path / "backup")):
        sentence(run(ours.data, *command), 1, "there is no log in")
    assert not (ours.data / "streams.db").exists()
    assert kit.score(ours, range(10, 20)).applied == 20


def test_a_backup_may_be_begun_from_as_it_is(tmp_path):
    ours = kit.settings(tmp_path / "ours")
    kit.score(ours, range(10))
    kit.backup(ours, tmp_path / "backup")
    assert kit.score(kit.settings(tmp_path / "backup"), range(10, 20)).applied == 20


def test_a_database_that_was_tried_with_another_log_is_restored_beside_the_right_one(tmp_path, bare, broker):
    kit.score(kit.settings(tmp_path / "ours"), range(10))
    kit.backup(kit.settings(tmp_path / "ours"), tmp_path / "backup")
    with Database(bare) as database:
        database.write(lambda connection: belonging._keep(connection, "kafka:another/prefix")).result()
    home = kit.settings(tmp_path / "home", bare, broker, partitions=8)
    kit.bring_back(tmp_path / "backup", home)
    assert kit.score(home, range(10, 20)).applied == 20
