"""A customer with parts, seen as one: by what each pays, or on average."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from hub.store import schema
from hub.store.questions.tree import rollup

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def company(database):
    """Accounts by name: (parent's reference, health, what it pays, currency, band)."""

    def make(**accounts):
        def write(connection):
            for name, (parent, health, mrr, *rest) in accounts.items():
                currency, band = [*rest, *["EUR", "steady"][len(rest) :]]
                state = {"partition": 0, "state": b"", "scored_at": 1.0, "last_event_at": 1.0}
                connection.execute(insert(schema.accounts).values(id=name, health=health, band=band, **state))
                facts = {"parent": parent, "mrr": mrr, "currency": currency, "facts": "{}"}
                connection.execute(insert(schema.profiles).values(account=name, **facts))
                link = {"reference": f"crm:{name}", "account": name, "how": "record", "at": 0.0}
                connection.execute(insert(schema.links).values(**link))

        database.write(write).result()
        return database

    return make


def asked(database, account="top", by="value"):
    with database.read() as connection:
        return rollup(connection, account, by)


def test_each_counts_by_what_it_pays_at_any_depth(company):
    tree = company(top=(None, 80.0, 100.0), left=("crm:top", 40.0, 300.0), below=("crm:left", 20.0, 100.0))
    assert asked(tree) == (pytest.approx((80 * 100 + 40 * 300 + 20 * 100) / 500), "value", 3)
    assert asked(tree, by="average") == (pytest.approx(140 / 3), "average", 3)
    assert asked(tree, "left") == (pytest.approx(35), "value", 2)


def test_who_has_no_parts_is_not_rolled_up(company):
    tree = company(top=(None, 80.0, 100.0), other=(None, 40.0, 300.0))
    assert asked(tree) is None
    assert asked(tree, "nobody") is None


def test_who_left_or_was_never_scored_or_pays_nothing_does_not_count(company):
    tree = company(
        top=(None, 80.0, 100.0),
        gone=("crm:top", 0.0, 900.0, "EUR", "left"),
        new=("crm:top", None, 900.0),
        free=("crm:top", 10.0, None),
        part=("crm:top", 40.0, 100.0),
    )
    assert asked(tree) == (pytest.approx(60), "value", 2)


@pytest.mark.parametrize("paid", [(100.0, "USD"), (None, "EUR")])
def test_where_value_cannot_be_compared_all_count_alike(company, paid):
    tree = company(top=(None, 80.0, paid[0], "EUR"), part=("crm:top", 40.0, *paid))
    assert asked(tree) == (pytest.approx(60), "average", 2)


def test_a_circle_ends(company):
    tree = company(top=("crm:part", 80.0, 100.0), part=("crm:top", 40.0, 100.0))
    assert asked(tree) == asked(tree, "part") == (pytest.approx(60), "value", 2)
