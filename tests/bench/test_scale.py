import asyncio
import os
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select

from bench import scale, scale_path, scale_room
from bench.scale_built import HOT
from bench.servers import Parts
from bench.traffic import account_of
from hub.ingest.dedupe import digest_of
from hub.settings import Settings
from hub.store import schema
from hub.store.database import Database
from hub.streams.topics import partition_of
from scoring.explaining.explain import explain
from scoring.loading import load
from scoring.scorers import Scorers

PARTITIONS = 8


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    where = scale.Place(Settings(data=tmp_path_factory.mktemp("scale")), {}, PARTITIONS)
    scale._built(where, 450, 1, "test")
    return where.settings.database


@pytest.fixture
def connection(built):
    with Database(built) as database, database.read() as connection:
        yield connection


def test_what_is_written_for_a_customer_is_its_own(connection):
    a = schema.accounts
    accounts = connection.execute(select(a.c.id, a.c.partition, schema.profiles.c.name).join_from(
        a, schema.profiles, schema.profiles.c.account == a.c.id
    )).all()  # fmt: skip
    assert sorted(accounts) == sorted(
        (account_of(n), partition_of(account_of(n).encode(), PARTITIONS), f"Customer {n}") for n in range(450)
    )
    scorers = Scorers(load())
    assert all(explain(connection, account_of(n), load(), scorers).drivers for n in (HOT, 7, 207, 449))


def test_every_event_that_is_archived_is_known_by_its_digest(connection):
    archive, seen = schema.archive, schema.seen
    asked = select(archive.c.connection, archive.c.event)
    digests = {digest_of(*row) for row in connection.execute(asked)}
    assert digests == set(connection.scalars(select(seen.c.digest)))
    assert len(digests) == connection.scalar(select(func.count()).select_from(archive)) == 1_000


def test_a_tenth_of_what_happened_is_the_hot_ones(connection):
    archive = schema.archive
    asked = select(func.count()).select_from(archive).where(archive.c.account == account_of(HOT))
    assert connection.scalar(asked) == 102


def test_the_ledger_goes_on_where_what_was_built_ends(connection):
    ledger, outlets = schema.ledger, schema.outlets
    asked = select(ledger.c.partition, func.max(ledger.c.sequence) + 1, func.max(ledger.c.sequence))
    ends = connection.execute(asked.group_by(ledger.c.partition)).all()
    assert set(ends) == set(connection.execute(select(outlets.c.partition, outlets.c.next, outlets.c.published)).all())


def test_a_worker_holds_all_or_a_share_of_it_and_an_event_has_its_cost(built, monkeypatch):
    monkeypatch.setattr(scale_room, "SAME", 50)
    third = scale_room.measure(scale_room.Asked(built, PARTITIONS, 3, 450, 0))
    whole = scale_room.measure(scale_room.Asked(built, PARTITIONS, 1, 450, 80))
    assert 0 < third.held < whole.held == 450
    assert set(whole.costs) == {"same", "zipf", "even", "hot"}
    assert all(cost.cpu > 0 and cost.wall > 0 and 0 < cost.touched <= 1 for cost in whole.costs.values())


def test_worker_database_and_broker_each_pay_for_the_way_of_an_event():
    broker, database = (os.environ.get(f"PULSEHUB_TEST_{name}") for name in ("BROKER", "DATABASE"))
    if not (broker and database):
        pytest.skip("needs Kafka and PostgreSQL: make servers")
    parts = Parts(urlsplit(broker).netloc, database)
    with scale._on_servers(parts) as where:
        asyncio.run(scale._opened(where.settings))
        asked = scale_path.Asked(where.settings.stream, where.settings.database, where.partitions)
        paid = scale_path.path(asked, 20, 60, os.getpid())
    assert paid.worker > 0
    assert paid.wall > 0
    assert paid.wal > 1_000
    assert paid.moved <= 1


def test_a_page_is_told_with_all_that_belongs_to_a_size():
    cost = scale_room.Cost(cpu=60.0, server=0.0, wall=90.0, touched=0.5, moved=0.1)
    costs = dict.fromkeys(("same", "zipf", "even", "hot"), cost)
    whole = scale_room.Found(10, 1e8, 2e8, 3e8, 1.0, 0.9, costs)
    size = scale.Size(10, whole, whole, scale.Up(2.0, 1.8, 2e8, {"portfolio": scale.Page(200.0, 99.0, 40.0)}))
    told = {one.name: one for one in scale._told("files", size, size)}
    assert told["scale.files.10.same"].value == 1.0
    assert told["scale.files.10.portfolio"].holds
    assert told["scale.files.10.memory"].value == 0.1
    assert told["scale.files.10.bytes"].value == 1e7
