"""One database, and logs it does not belong to: a slip in a URL changes nothing, and a loss stays a loss."""

import asyncio
from contextlib import closing

import pytest

from hub.sdk.errors import ConfigError
from hub.store import schema
from hub.store.database import Database
from hub.streams import belonging
from hub.streams.kafka.declaring import Admin
from hub.streams.opening import look_at, open_log
from hub.streams.streams import Streams
from hub.streams.testing import run_until_idle
from tests.streams.kafka.cluster import cluster, forget
from tests.streams.kit import PARTITIONS, Keeper, Place, numbers
from tests.streams.test_aligning import rows


@pytest.fixture
def broker():
    with cluster() as url:
        yield url


def place_at(database, url, folder):
    return Place(folder, database, open_log(url, PARTITIONS, database))


def scored(database, url, folder, *numbered):
    """Append, let the room take it in, close; where it stands then."""
    with closing(open_log(url, PARTITIONS, database)) as log:
        place = Place(folder, database, log)
        place.append(*numbered)
        run_until_idle(place.streams(Keeper()))
        return place.offsets("test.keep")


def moved(database, url, folder):
    """An installation whose log was lost once, so that its offsets are ahead of the broker's."""
    scored(database, url, folder, *numbers(0, 100))
    asyncio.run(forget(url))
    scored(database, url, folder)
    assert scored(database, url, folder, *numbers(100, 140))["applied"] == 140
    return rows(Place(folder, database, None), schema.bases)


def topics(url):
    async def ask():
        from hub.streams.kafka.broker import Broker  # noqa: PLC0415

        admin = Admin(**Broker.at(url).client())
        await admin.start()
        try:
            return [name for name in await admin.list_topics() if name.startswith(f"{Broker.at(url).prefix}.")]
        finally:
            await admin.close()

    return asyncio.run(ask())


def test_a_mistyped_prefix_is_refused_and_damages_nothing(broker, database, tmp_path):
    bases = moved(database, broker, tmp_path)
    assert bases
    wrong = f"{broker}-wrong"
    for opening in (open_log, look_at):
        with pytest.raises(ConfigError, match=r"belongs to prefix test-\w+ of the Kafka cluster .*--adopt"):
            opening(wrong, PARTITIONS, database)
    assert topics(wrong) == []
    assert rows(Place(tmp_path, database, None), schema.bases) == bases
    assert scored(database, broker, tmp_path, *numbers(140, 150))["applied"] == 150


def test_a_worker_that_opened_an_empty_log_too_early_does_not_begin_it_anew(broker, database, tmp_path):
    """Two prefixes at the first start of all: the first that begins has the database."""
    with (
        closing(open_log(f"{broker}-wrong", PARTITIONS, database)) as wrong,
        closing(open_log(broker, PARTITIONS, database)) as right,
    ):
        run_until_idle(Place(tmp_path, database, right).streams(Keeper()))
        with pytest.raises(ConfigError, match="belongs to prefix"):
            run_until_idle(Streams(database, wrong))
    asyncio.run(forget(f"{broker}-wrong"))


def test_an_installation_of_before_takes_its_own_log_and_no_empty_one(broker, database, tmp_path):
    moved(database, broker, tmp_path)
    database.write(belonging.forget).result()
    with pytest.raises(ConfigError, match="applied records of another log, or of one that is lost"):
        open_log(f"{broker}-wrong", PARTITIONS, database)
    assert scored(database, broker, tmp_path, *numbers(140, 150))["applied"] == 150
    with pytest.raises(ConfigError, match="belongs to prefix"):
        open_log(f"{broker}-wrong", PARTITIONS, database)


def test_a_file_is_no_log_of_a_database_that_belongs_to_a_broker(broker, database, tmp_path):
    scored(database, broker, tmp_path, *numbers(0, 10))
    for opening in (open_log, look_at):
        with pytest.raises(ConfigError, match="the log is to be a file"):
            opening(f"sqlite:///{tmp_path}/streams.db", PARTITIONS, database)
    assert not (tmp_path / "streams.db").exists()


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_files_of_two_machines_are_not_taken_for_one_that_was_lost(engine, bare, tmp_path):
    with Database(bare) as database:
        scored(database, f"sqlite:///{tmp_path}/one.db", tmp_path, *numbers(0, 10))
        with pytest.raises(ConfigError, match="belongs to the log file of number"):
            open_log(f"sqlite:///{tmp_path}/two.db", PARTITIONS, database)


def test_the_log_of_another_installation_is_refused(tmp_path, database):
    for name, many in (("ours", 10), ("theirs", 60)):
        with Database(f"sqlite:///{tmp_path}/{name}.hub.db") as one:
            scored(one, f"sqlite:///{tmp_path}/{name}.db", tmp_path, *numbers(0, many))
    with (
        Database(f"sqlite:///{tmp_path}/ours.hub.db") as one,
        pytest.raises(ConfigError, match="belongs to the log file of number"),
    ):
        open_log(f"sqlite:///{tmp_path}/theirs.db", PARTITIONS, one)


def test_a_person_may_say_that_a_log_is_the_databases_from_now_on(broker, database, tmp_path):
    moved(database, broker, tmp_path)
    elsewhere = f"{broker}-anew"
    with closing(look_at(elsewhere, PARTITIONS, database, whose=False)) as log:
        belonging.adopt(database, log)
    assert topics(elsewhere) == []
    scored(database, elsewhere, tmp_path)
    assert scored(database, elsewhere, tmp_path, *numbers(140, 170))["applied"] == 170
    with pytest.raises(ConfigError, match="belongs to prefix"):
        open_log(broker, PARTITIONS, database)
    asyncio.run(forget(elsewhere))


def test_a_log_that_moved_with_its_offsets_keeps_what_they_are_ahead(broker, database, tmp_path):
    bases = moved(database, broker, tmp_path)
    belonging_to = "update meta set value = 'kafka:another/cluster' where key = 'log'"
    database.write(lambda connection: connection.exec_driver_sql(belonging_to) and None).result()
    with closing(look_at(broker, PARTITIONS, database, whose=False)) as log:
        belonging.adopt(database, log)
    assert rows(Place(tmp_path, database, None), schema.bases) == bases
    assert scored(database, broker, tmp_path, *numbers(140, 150))["applied"] == 150
