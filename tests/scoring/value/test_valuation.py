"""Everybody valued, on either engine: what counts as a purchase, who has no number and why, and what is never added."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from sqlalchemy import func, insert, select, update

from hub.sdk.errors import ConfigError
from hub.sdk.events import Event
from hub.store import schema
from scoring.loading import load
from scoring.value import settings
from scoring.value.kept import first, newest, totals, value_all, worths
from scoring.value.proof import held_out
from scoring.value.purchases import Sales, history
from scoring.value.settings import Valuing
from scoring.value.told import LEFT, NEVER, NOTHING, groups, told

DAY = 86_400.0
TODAY = 20_000
NOW = TODAY * DAY + 3_600.0
OURS = Valuing()


def event(account, day, amount, kind="invoice.paid", currency="EUR"):
    at = datetime.fromtimestamp(day * DAY + 60.0, UTC)
    money = None if amount is None else Decimal(str(amount))
    return Event(
        id=f"{account}:{day}:{kind}:{amount}",
        kind=kind,
        account=account,
        occurred_at=at,
        amount=money,
        currency=currency,
    )


def shoppers(number=80, seed=1, currency="EUR", prefix="shop"):
    """Customers of all paces, over 300 days."""
    random = np.random.default_rng(seed)
    found = []
    for n in range(number):
        day, pace, usual = (
            TODAY - random.integers(30, 300),
            random.gamma(1.0, 30.0) + 3.0,
            random.gamma(3.0, 40.0) + 5.0,
        )
        while day < TODAY:
            found.append(
                event(f"{prefix}_{n:03}", int(day), round(usual * random.gamma(4.0, 0.25) + 1.0, 2), currency=currency)
            )
            day += random.exponential(pace) + 1.0
            if random.random() < 0.1:
                break
    return found


def tell(database, events, *, paying=(), bands=()):
    """Archive events; `paying`: (account, mrr, currency, risk) of those with a subscription."""
    bands, subscribed = dict(bands), {one[0]: one for one in paying}
    names = sorted({one.account for one in events} | subscribed.keys())

    def write(connection):
        rows = [
            {
                "account": one.account,
                "occurred_at": one.occurred_at.timestamp(),
                "received_at": one.occurred_at.timestamp(),
                "kind": one.kind,
                "connection": "shop",
                "event": one.id,
                "body": msgspec.json.encode(one),
            }
            for one in events
        ]
        if rows:
            connection.execute(insert(schema.archive), rows)
        for name in names:
            _, mrr, currency, risk = subscribed.get(name, (name, None, None, 0.25))
            connection.execute(
                insert(schema.accounts).values(
                    id=name,
                    partition=0,
                    state=b"",
                    scored_at=NOW,
                    last_event_at=NOW,
                    health=70.0,
                    band=bands.get(name, "steady"),
                    risk=risk,
                    model_version=0,
                )
            )
            connection.execute(
                insert(schema.profiles).values(account=name, name=name.title(), mrr=mrr, currency=currency, facts="{}")
            )

    database.write(write).result()


def valued(database, valuing=OURS, now=NOW):
    done = list(value_all(database, load(), valuing, now=now, wall=NOW))
    with database.read() as connection:
        ids = list(connection.scalars(select(schema.worths.c.account).distinct()))
        return SimpleNamespace(done=done, made=newest(connection), worths=worths(connection, ids))


def test_everybody_who_bought_or_subscribed_is_valued_and_told_how(database):
    tell(database, shoppers(), paying=[("cloud", 1_000.0, "USD", 0.02)])
    found = valued(database)
    assert found.done[-1] == len(found.worths) == 81
    for account, (one,) in found.worths.items():
        assert one.account == account
        assert one.value > 0.0
        assert 0.0 <= one.low <= one.high
        assert one.discounted < one.value
    cloud = found.worths["cloud"][0]
    assert (cloud.how, cloud.currency, cloud.mrr) == ("contract", "USD", 1_000.0)
    with database.read() as connection:
        said = told(connection, "cloud", 0.5)
        assert said.parts[0].value_at_risk == pytest.approx(cloud.value * 0.5)
        assert "pays 1,000 USD a month" in said.parts[0].made_of
        assert "purchases of" in told(connection, "shop_001", None).parts[0].made_of
        assert told(connection, "shop_001", None).parts[0].value_at_risk is None
        assert told(connection, "nobody", 0.1).note == NOTHING


def test_of_who_bought_once_nobody_says_that_it_still_is_a_customer(database):
    tell(database, [*shoppers(), event("once", TODAY - 200, 80)])
    valued(database)
    with database.read() as connection:
        said = told(connection, "once", 0.9).parts[0].made_of
        assert "bought on 1 day" in said
        assert "cannot be told from one purchase" in said
        assert "% sure" not in said


def test_before_the_first_time_it_says_so(database):
    with database.read() as connection:
        assert told(connection, "anybody", 0.1).note == NEVER
        assert newest(connection) is None
    assert valued(database).worths == {}


def test_money_of_two_currencies_is_never_added(database):
    both = [event("shop_000", TODAY - 40, 9_000, currency="JPY"), event("shop_000", TODAY - 20, 9_000, currency="JPY")]
    tell(database, [*shoppers(), *shoppers(currency="JPY", prefix="tokyo", seed=2), *both])
    parts = valued(database).worths["shop_000"]
    assert sorted(one.currency for one in parts) == ["EUR", "JPY"]
    with database.read() as connection:
        sums = {one.currency: one for one in totals(connection)}
        alone = sum(
            one.value for some in worths(connection, [f"tokyo_{n:03}" for n in range(80)]).values() for one in some
        )
        yen = next(one.value for one in parts if one.currency == "JPY")
        assert sums["JPY"].value == pytest.approx(alone + yen)
        assert sums.keys() == {"EUR", "JPY"}
        assert sums["JPY"].customers == 81
        assert all(
            name.startswith(("tokyo", "shop_000")) for name in first(connection, "JPY", limit=500, by_stake=True)
        )


def test_too_few_customers_are_no_history_and_say_so(database):
    tell(database, [*shoppers(), event("swiss", TODAY - 3, 50, currency="CHF")])
    (swiss,) = valued(database).worths["swiss"]
    assert swiss.value is None
    assert "it takes 50" in swiss.lacking
    with database.read() as connection:
        assert told(connection, "swiss", 0.1).note.startswith("not enough history: 1 customers have bought")
        notes = {one.currency: one.note for one in groups(connection, newest(connection).valuation)}
        assert notes["EUR"] == ""
        assert "too few" in notes["CHF"]


def test_what_went_back_counts_less_and_all_of_it_back_is_no_history(database):
    events = shoppers()
    tell(
        database,
        [
            *events,
            event("back", TODAY - 9, 80),
            event("back", TODAY - 8, 80, "refund.issued"),
            event("half", TODAY - 9, 80),
            event("half", TODAY - 8, 40, "refund.issued"),
            event("full", TODAY - 9, 80),
            event("minus", TODAY - 9, 80),
            event("minus", TODAY - 8, -40),
        ],
    )
    found = valued(database).worths
    assert (found["back"][0].value, found["back"][0].lacking) == (None, "all that it paid went back")
    assert found["half"][0].spent == 40.0
    assert found["half"][0].value < found["full"][0].value
    assert found["minus"][0].value == found["half"][0].value
    assert found["minus"][0].times == 1


def test_an_invoice_of_a_subscription_is_no_purchase(database):
    tell(
        database,
        [*shoppers(), event("cloud", TODAY - 3, 500), event("cloud", TODAY - 33, 500)],
        paying=[("cloud", 500.0, "EUR", 0.1), ("quit", 0.0, "EUR", 0.9), ("new", 10.0, "EUR", None)],
    )
    found = valued(database).worths
    assert [one.how for one in found["cloud"]] == ["contract"]
    assert "quit" not in found
    assert "never scored" in found["new"][0].lacking


def test_who_left_is_worth_nothing_any_more_and_its_row_goes(database):
    tell(database, shoppers())
    assert "shop_000" in valued(database).worths
    database.write(
        lambda c: c.execute(update(schema.accounts).where(schema.accounts.c.id == "shop_000").values(band="left"))
    ).result()
    with database.read() as connection:
        assert told(connection, "shop_000", 0.5).note == LEFT, "at once, not only with the next valuation"
        assert told(connection, "shop_000", 0.5).parts == []
    again = valued(database, now=NOW + DAY)
    assert "shop_000" not in again.worths
    assert again.made.valuation.version == 2
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.valuations)) == 2


def test_the_same_past_gives_the_same_numbers_and_the_order_of_events_none(database):
    events = shoppers()
    tell(database, events[::-1])
    one, other = valued(database).worths, valued(database).worths
    assert one == other


def test_an_account_merged_away_has_no_worth(database):
    tell(database, shoppers())
    database.write(
        lambda c: c.execute(
            update(schema.profiles).where(schema.profiles.c.account == "shop_000").values(merged_into="shop_001")
        )
    ).result()
    assert "shop_000" not in valued(database).worths


def test_halted_half_way_nothing_is_torn(database):
    tell(database, shoppers())
    valued(database)
    assert list(value_all(database, load(), OURS, now=NOW, wall=NOW, halted=lambda: True)) == []
    with database.read() as connection:
        assert newest(connection).valuation.version == 1
        assert len(worths(connection, ["shop_001"])) == 1


def test_what_cannot_be_is_left_out_and_counted():
    sales = Sales(["invoice.paid"], ["refund.issued"])
    for amount, currency in (
        (None, "EUR"),
        ("NaN", "EUR"),
        ("Infinity", "EUR"),
        ("1e15", "EUR"),
        ("ten", "EUR"),
        (10, None),
        (True, ""),
    ):
        sales.add("a", NOW, "invoice.paid", amount, currency)
    assert (sales.books, sales.unreadable) == ({}, 7)
    sales.add("a", NOW, "invoice.paid", 0, "EUR")
    assert history(sales.books["EUR"], TODAY + 1.0).accounts == [], "who paid nothing has not bought"


def test_what_is_dated_after_today_has_not_happened_and_a_day_is_one_time():
    sales = Sales(["invoice.paid"], [])
    for at in (NOW - 3 * DAY, NOW - 3 * DAY + 60.0, NOW - DAY, NOW + 9 * DAY):
        sales.add("a", at, "invoice.paid", 10, "EUR")
    known = history(sales.books["EUR"], NOW / DAY)
    assert (known.times.tolist(), known.spent.tolist(), known.pasts.again.tolist(), known.pasts.last.tolist()) == (
        [2.0],
        [30.0],
        [1.0],
        [2.0],
    )


def test_what_would_have_been_said_is_held_against_what_came():
    sales = Sales(["invoice.paid"], [])
    for one in shoppers(400):
        sales.add(one.account, one.occurred_at.timestamp(), one.kind, one.amount, one.currency)
    shares, proof = held_out(sales.books["EUR"], TODAY, 365.0, 0.8)
    assert proof.since == TODAY - proof.days
    assert 0.75 <= proof.covered <= 0.9
    assert 0.6 * proof.came < proof.expected < 1.6 * proof.came
    assert all(0.8 <= share < 1.0 for share in shares)
    assert held_out(dict(list(sales.books["EUR"].items())[:30]), TODAY, 365.0, 0.8) is None


@pytest.mark.parametrize(("written", "said"), [
    ("purchases: 7", "value.yaml, purchases"),
    ("horizon: 1h", "value.yaml, horizon"),
    ("discount: -1", "value.yaml, discount"),
    ("interval: 1.0", "value.yaml, interval"),
    ("colour: red", "value.yaml, colour"),
    ("[", "is not YAML"),
    ("- a", "value.yaml"),
])  # fmt: skip
def test_what_makes_no_sense_in_the_file_is_said_with_its_place(tmp_path, written, said):
    (tmp_path / "value.yaml").write_text(written)
    with pytest.raises(ConfigError, match=said):
        settings.load(tmp_path)


def test_without_a_file_ours_holds_and_an_empty_one_is_the_same(tmp_path):
    assert settings.load() == settings.load(tmp_path) == Valuing()
    (tmp_path / "value.yaml").write_text("")
    assert settings.load(tmp_path) == Valuing()
    (tmp_path / "value.yaml").write_text("horizon: 90d\npurchases: [order.placed]")
    found = settings.load(tmp_path)
    assert (found.days, found.purchases) == (90.0, ("order.placed",))
    assert math.isclose(found.discount, 0.1)
