"""What a wholesaler's customers would have been said to bring, held against what they brought (docs/value.md)."""

import csv
import lzma
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from scoring.value import orders
from scoring.value.proof import held_out
from scoring.value.purchases import Sales, came, history

FILE = Path(__file__).parents[2] / "examples" / "online-retail" / "online_retail.csv.xz"
WHEN = [("2011-05-01", 90), ("2011-06-09", 183), ("2011-08-01", 90), ("2011-09-10", 90)]


@pytest.fixture(scope="module")
def book():
    """GBP, by customer and day; lines without a customer are nobody's."""
    sales = Sales(["invoice.paid"], ["refund.issued"])
    with lzma.open(FILE, "rt") as lines:
        for row in csv.DictReader(lines):
            if row["CustomerID"]:
                at = datetime.strptime(row["InvoiceDate"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
                sales.add(
                    row["CustomerID"], at, "invoice.paid", float(row["UnitPrice"]) * float(row["Quantity"]), "GBP"
                )
    return sales.books["GBP"]


def look(book, when, days):
    """What would have been said that day by what was known then, and what came."""
    today = int(datetime.fromisoformat(f"{when}T00:00+00:00").timestamp() / 86_400)
    known = {account: {day: money for day, money in found.items() if day < today} for account, found in book.items()}
    shares, proof = held_out(known, today, float(days), 0.8)
    past = history(known, today)
    numbers = orders.fitted(past)
    said = orders.expected(numbers, past, float(days), 0.0).value
    truth = came(book, past.accounts, today, today + days)
    before = came(book, past.accounts, today - days, today)
    drawn = orders.draws(numbers, past, float(days))
    inside = {}
    for name, share in (("plain", np.full(len(truth), 0.8)), ("shown", np.array(shares)[orders.group(past.times)])):
        low, high = orders.narrowest(drawn, share)
        inside[name] = float(((np.maximum(truth, 0) >= low - 1e-9) & (np.maximum(truth, 0) <= high + 1e-9)).mean())
    rate = past.spent / np.maximum(past.pasts.age, 1.0) * days
    return {
        "customers": len(truth),
        "covered": inside["shown"],
        "covered_plain": inside["plain"],
        "expected": said.sum(),
        "came": truth.sum(),
        "error": np.abs(said - truth).mean(),
        "error_before": np.abs(before - truth).mean(),
        "error_rate": np.abs(rate - truth).mean(),
        "proof": proof,
    }


@pytest.mark.parametrize(("when", "days"), WHEN)
def test_of_the_bounds_about_as_many_held_what_came_as_was_promised(book, when, days):
    found = look(book, when, days)
    print(when, days, found)  # the figures of docs/value.md: pytest -s
    least = 0.65 if when == "2011-09-10" else 0.75  # Christmas, of which nobody knew anything yet
    assert least <= found["covered"] <= 0.86
    assert found["covered"] >= found["covered_plain"] - 1e-9
    assert found["error"] < found["error_rate"], "the rule: what it spent a day so far, for so many days"
