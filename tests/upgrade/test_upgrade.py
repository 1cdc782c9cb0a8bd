"""What release 0.1.0 left behind is taken over as it is: nothing is lost, and scoring goes on.

`release-0.1.0.tar.xz` is a data folder of that release: the lines of fourteen customers of examples/online-retail
(Daqing Chen, CC BY 4.0), imported and scored, with a destination that could not be reached. The merge of two customers
is in its log and was never applied.
"""

import csv
import sqlite3
import tarfile
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from hub.store import schema
from tests.e2e.kit import document

HERE = Path(__file__).parent
MAP = HERE.parents[1] / "examples" / "online-retail" / "map.yaml"
LEFT = HERE / "release-0.1.0.tar.xz"
KEPT = ("seen", "archive", "ledger", "labels", "configs", "receipts")  # rows of these never change
NAMED = {
    "models": "version",
    "links": "reference",
    "accounts": "id",
    "profiles": "account",
    "desired": "sink || account",
}
SURVIVOR, ABSORBED = "acc_241f94ad3dc273ae6971", "acc_30dcefcb449aa26829a2"
LINES = [
    ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"],
    ["590001", "22423", "REGENCY CAKESTAND 3 TIER", "6", "2011-12-12 09:00:00", "12.75", "12348.0", "Finland"],
    ["C590002", "22423", "REGENCY CAKESTAND 3 TIER", "-6", "2011-12-20 09:00:00", "12.75", "12348.0", "Finland"],
]


def rows(data, question):
    with closing(sqlite3.connect(data / "hub.db")) as connection:
        return connection.execute(question).fetchall()


def columns(data):
    return {table: [name for _, name, *_ in rows(data, f"pragma table_info({table})")] for table in KEPT}


def everything(data, known):
    kept = {table: set(rows(data, f"select {', '.join(known[table])} from {table}")) for table in KEPT}
    named = {table: {name for (name,) in rows(data, f"select {key} from {table}")} for table, key in NAMED.items()}
    return kept, named


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory):
    """The folder, the columns there were, what was in them, and what today's import of two more lines says."""
    folder = tmp_path_factory.mktemp("upgrade")
    with tarfile.open(LEFT) as left:
        left.extractall(folder, filter="data")
    data, lines = folder / "data", folder / "more.csv"
    with lines.open("w", newline="") as file:
        csv.writer(file).writerows(LINES)
    known = columns(data)
    before = everything(data, known)
    return data, known, before, document(data, "import", lines, "--map", MAP)


def test_it_takes_the_steps_of_the_schema_it_lacks(upgraded):
    data, *_ = upgraded
    said = dict(rows(data, "select key, value from meta where key in ('schema', 'speaks')"))
    assert said == {"schema": str(schema.VERSION), "speaks": str(schema.SPEAKS)}


def test_every_row_is_kept(upgraded):
    data, known, (kept, named), _ = upgraded
    kept_now, named_now = everything(data, known)
    assert {table for table in KEPT if not kept[table]} == set()
    assert {table: kept[table] - kept_now[table] for table in KEPT} == {table: set() for table in KEPT}
    assert {table: named[table] - named_now[table] for table in NAMED} == {
        **{table: set() for table in NAMED},
        "accounts": {ABSORBED},  # the merge that waited in the log took it away
    }


def test_what_was_in_the_log_and_not_applied_is_applied(upgraded):
    data, *_ = upgraded
    assert rows(data, "select absorbed, survivor from merges") == [(ABSORBED, SURVIVOR)]


def test_scoring_goes_on(upgraded):
    data, _, (kept, _), told = upgraded
    assert (told["accepted"], told["duplicates"]) == (2, 0)
    (account,) = [a for (a,) in rows(data, "select account from links where reference like '%customer:12348'")]
    scored = rows(data, f"select sequence, health, was from ledger where account = '{account}' order by sequence")
    assert len(scored) > sum(row[2] == account for row in kept["ledger"])
    for (_, health, _), (_, _, was) in pairwise(scored):
        assert was == health  # the ledger goes on where it ended
