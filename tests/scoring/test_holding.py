"""What a worker holds: the rows of its partitions, found fast and copied whole."""

import time

import numpy as np
import pytest

from hub.store import schema
from hub.store.database import Database, insert_rows
from hub.store.upserts import insert
from scoring import rescore
from scoring.accounts import Accounts, measures_of, remember
from scoring.loading import load
from scoring.rescore import Rescore
from scoring.rows import Block, Layout, lay, picked
from scoring.scorers import Scorers

PARTITIONS = 4


@pytest.fixture
def layout():
    config = load()
    return measures_of(config, Scorers(config).names).layout


@pytest.fixture
def stored(tmp_path, layout):
    """Forty accounts, ten a partition; every seventh was written under other measures."""
    older = Layout([Block("moments", "f8", ("scored_at", "since_then_renamed"), (0.0, 0.0))])
    with Database(f"sqlite:///{tmp_path}/hub.db") as database:

        def fill(connection):
            rows = []
            for number in range(40):
                state = np.full(1, (older if number % 7 == 0 else layout).empty)
                state["scored_at"] = 1_000.0 + number
                rows.append(
                    (f"acc_{number}", number % PARTITIONS, state.tobytes(), 0.0, 0.0, None, None, None, None, 0, None)
                )
            insert_rows(connection, insert(schema.accounts), rows)
            remember(connection, older)

        database.write(fill).result()
        yield database


@pytest.mark.parametrize("held", [range(PARTITIONS), [1, 3], [2]])
def test_a_worker_holds_the_accounts_of_its_partitions_and_no_others(stored, layout, held):
    accounts = Accounts(layout)
    with stored.read() as connection:
        accounts.load(connection, held)
    ids = accounts.ids(range(len(accounts)))
    assert sorted(ids) == sorted(f"acc_{n}" for n in range(40) if n % PARTITIONS in held)
    assert accounts.rows["scored_at"].tolist() == [1_000.0 + int(key.removeprefix("acc_")) for key in ids]
    assert accounts.partitions.tolist() == [int(key.removeprefix("acc_")) % PARTITIONS for key in ids]
    assert set(accounts.rows["layout"].tolist()) == {layout.stamp}


def test_nobody_stored_is_nobody_held(tmp_path, layout):
    accounts = Accounts(layout)
    with Database(f"sqlite:///{tmp_path}/hub.db") as database, database.read() as connection:
        accounts.load(connection, range(PARTITIONS))
    assert len(accounts) == 0


def test_rows_are_picked_and_laid_as_by_their_fields(layout):
    chance = np.random.default_rng(3)
    rows = np.frombuffer(chance.bytes(12 * layout.dtype.itemsize), layout.dtype).copy()
    assert picked(rows, [7, 1]).tobytes() == rows[[7, 1]].tobytes()
    assert picked(rows, np.arange(12) % 2 == 0).tobytes() == rows[::2].tobytes()
    new = np.full(2, layout.empty)
    expected = rows.copy()
    expected[[3, 5]] = new
    lay(rows, [3, 5], new)
    assert rows.tobytes() == expected.tobytes()


def test_of_more_than_can_be_looked_at_those_come_first_who_have_waited_longest(stored, monkeypatch):
    monkeypatch.setattr(rescore, "_SLICE", 5)
    room = Rescore(stored, load(), "wall", PARTITIONS)
    with stored.read() as connection:
        room.assign(connection, range(PARTITIONS))
    due = room._due(time.time())
    assert sorted(room._accounts.ids(due.tolist())) == sorted(f"acc_{n}" for n in range(5))
    assert room._accounts.checked_at[due].tolist() == sorted(room._accounts.checked_at)[:5]
