"""`pulsehub import`: a real wholesaler's invoices, stopped, killed and started again; and what it says to wrong use."""

import csv
import json
import lzma
import signal
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.e2e.kit import document, start, until, up
from tests.e2e.truth import accounted, applied, assert_same_knowledge

EXAMPLE = Path(__file__).parents[2] / "examples" / "online-retail"
MAP = EXAMPLE / "map.yaml"
SCORING = EXAMPLE / "scoring"
ROWS = 20_000
LAST = 1_300_000_000  # unix seconds; in the spring after these invoices


@pytest.fixture(scope="module")
def invoices(tmp_path_factory):
    """The first rows of the example's file, and what they have to come to, counted by other means."""
    path = tmp_path_factory.mktemp("retail") / "invoices.csv"
    with lzma.open(EXAMPLE / "online_retail.csv.xz", "rt", encoding="utf-8", newline="") as whole:
        lines = list(islice(csv.reader(whole), ROWS + 1))
    with path.open("w", encoding="utf-8", newline="") as some:
        csv.writer(some).writerows(lines)
    customers = [line[lines[0].index("CustomerID")] for line in lines[1:]]
    known = [one for one in customers if one]
    return SimpleNamespace(
        path=path, accepted=len(known), rejected=len(customers) - len(known), customers=len(set(known))
    )


def bring(data, path, settings=None, map_file=MAP, status=0):
    return document(data, "import", path, "--map", map_file, settings=settings, status=status)


def counts(told):
    return {name: told[name] for name in ("read", "accepted", "duplicates", "rejected", "events", "finished")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, invoices):
    """An installation into which they were imported at one go."""
    data = tmp_path_factory.mktemp("whole") / "data"
    return SimpleNamespace(data=data, told=bring(data, invoices.path))


def test_every_row_read_is_accepted_or_rejected(whole, invoices):
    assert counts(whole.told) == {
        "read": ROWS,
        "accepted": invoices.accepted,
        "duplicates": 0,
        "rejected": invoices.rejected,
        "events": invoices.accepted,
        "finished": True,
    }
    assert whole.told["reasons"] == {"anonymous: no CustomerID": invoices.rejected}


def test_every_rejected_row_stands_in_a_file_with_its_line(whole, invoices):
    with Path(whole.told["rejected_file"]).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == invoices.rejected
    lines = invoices.path.read_text(encoding="utf-8").splitlines()
    assert all(",," in lines[int(row["line"]) - 1] for row in rows)
    assert {row["reason"] for row in rows} == {"anonymous: no CustomerID"}


def test_every_customer_has_a_health_and_the_books_balance(whole, invoices):
    told = document(whole.data, "accounts", "--limit", 10_000)
    assert told["total"] == len(told["accounts"]) == invoices.customers
    assert all(row["health"] is not None for row in told["accounts"])
    books = document(whole.data, "doctor")
    assert (books["ok"], books["received"], books["applied"]) == (True, invoices.accepted, invoices.accepted)
    assert (books["duplicates"], books["dead_lettered"], books["pending"]) == (0, 0, 0)


def test_the_same_file_again_changes_nothing(whole, invoices):
    again = bring(whole.data, invoices.path)
    assert (again["accepted"], again["duplicates"], again["events"]) == (0, invoices.accepted, 0)
    books, rows = accounted(whole.data)
    assert (books.applied, rows, books.balanced) == (invoices.accepted, invoices.accepted, True)


def in_the_middle(data, path, number):
    """Start an import and send it a signal once a third of it is on the log."""
    process = start(data, "import", path, "--map", MAP, "--json")
    until(lambda: process.poll() is not None or line(data) > ROWS // 3)
    assert process.poll() is None, process.communicate()[1]
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def line(data):
    """How far the import has come, as it remembers itself."""
    marks = list((data / "imports").glob("*.json"))
    try:
        return json.loads(marks[0].read_bytes())["line"] if marks else 0
    except (FileNotFoundError, ValueError):
        return 0


def test_stopped_by_ctrl_c_it_says_so_and_goes_on_where_it_stopped(tmp_path, whole, invoices):
    data = tmp_path / "data"
    status, out, err = in_the_middle(data, invoices.path, signal.SIGINT)
    assert (status, json.loads(out)["finished"]) == (1, False)
    assert "the same command goes on where it stopped" in err
    assert "Traceback" not in err
    part = json.loads(out)
    assert part["read"] == part["accepted"] + part["rejected"] < ROWS
    told = bring(data, invoices.path)
    assert counts(told) == counts(whole.told)
    assert applied(data) == applied(whole.data)
    assert_same_knowledge(data, whole.data, LAST, data / "scoring")


def test_killed_it_goes_on_and_counts_nothing_twice(tmp_path, whole, invoices):
    data = tmp_path / "data"
    assert in_the_middle(data, invoices.path, signal.SIGKILL)[0] == -signal.SIGKILL
    told = bring(data, invoices.path)
    assert told["read"] == told["accepted"] + told["duplicates"] + told["rejected"] == ROWS
    assert told["duplicates"] <= 1_000  # what was on the log, but not yet remembered to be
    assert applied(data) == applied(whole.data)
    books, rows = accounted(data)
    assert (books.applied, rows, books.balanced) == (invoices.accepted, invoices.accepted, True)
    assert_same_knowledge(data, whole.data, LAST, data / "scoring")


def test_beside_a_running_hub_the_hub_scores_what_is_read(tmp_path, whole, invoices):
    data = tmp_path / "data"
    settings = {"PULSEHUB_CLOCK": "event", "PULSEHUB_SCORING": str(SCORING)}
    with up(data, settings) as hub:
        told = bring(data, invoices.path, settings)
        assert counts(told) == counts(whole.told)
        assert accounted(data)[0].pending == 0
        assert "Traceback" not in hub.said()
    assert_same_knowledge(data, whole.data, LAST, SCORING)


def test_a_dry_run_shows_the_first_events_and_writes_nothing(run, tmp_path, invoices):
    data = tmp_path / "data"
    told = document(data, "import", invoices.path, "--map", MAP, "--dry-run")
    first = told["rows"][0]
    assert (first["line"], first["events"][0]["kind"]) == (2, "invoice.paid")
    assert first["events"][0]["account"] == "online-retail:customer:17850"
    shown = run(data, "import", invoices.path, "--map", MAP, "--dry-run")
    assert "nothing was written" in shown.stdout
    assert not data.exists()


HEAD = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
SOUND = "536365,85123A,HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"


@pytest.mark.parametrize(
    ("name", "content", "end"),
    [
        ("empty.csv", b"", (2, "no line of columns")),
        ("columns.csv", b"Invoice,Customer\n1,2\n", (2, "no column 'customerid'")),
        ("binary.csv", bytes(range(256)) * 40, (2, r"\x01\x02")),
        ("cut.csv.xz", lzma.compress((HEAD + SOUND * 20_000).encode())[:-60], (1, "could not be read to its end")),
        ("not.csv.gz", b"\x1f\x8bplain text", (2, "not.csv.gz")),
    ],
)
def test_a_file_that_cannot_be_imported_is_named_with_the_reason(run, tmp_path, name, content, end):
    status, says = end
    path = tmp_path / name
    path.write_bytes(content)
    done = run(tmp_path / "data", "import", path, "--map", MAP)
    assert done.returncode == status, done.stderr
    assert name in done.stderr
    assert says in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert status == 1 or not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("connection: [", "YAML"),
        ("connection: shop\n", "events"),
        (
            "connection: shop\nevents:\n  - {kind: invoice.paid, account: '{Nobody}', occurred_at: InvoiceDate}\n",
            "Nobody",
        ),
        ("connection: shop\nevent: []\n", "event"),
        ("- 1\n- 2\n", "map"),
    ],
)
def test_a_wrong_map_is_named_with_what_is_wrong_in_it(run, tmp_path, content, says):
    path, map_file = tmp_path / "sales.csv", tmp_path / "map.yaml"
    path.write_text(HEAD + SOUND)
    map_file.write_text(content)
    done = run(tmp_path / "data", "import", path, "--map", map_file)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_file_that_is_not_there_is_wrong_use(run, tmp_path):
    done = run(tmp_path / "data", "import", tmp_path / "nowhere.csv", "--map", MAP)
    assert (done.returncode, "nowhere.csv" in done.stderr) == (2, True)
