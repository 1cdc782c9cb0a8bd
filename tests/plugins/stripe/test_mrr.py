from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.stripe.money import smallest, units
from plugins.stripe.mrr import monthly, per_period
from plugins.stripe.shapes import Subscription


def priced(amount, interval="month", count=1, **price):
    return {"price": {"unit_amount": amount, "recurring": {"interval": interval, "interval_count": count}, **price}}


def mrr(*items, currency="EUR", **subscription):
    made = {"id": "sub_1", "status": "active", "items": {"data": list(items)}, **subscription}
    return monthly(Subscription.model_validate(made), currency)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (priced(2900) | {"quantity": 5}, "145.00"),
        (priced(120000, "year"), "100.00"),
        (priced(120000, "year", 2), "50.00"),
        (priced(30000, "month", 3), "100.00"),
        (priced(1000, "week"), "43.48"),
        (priced(100, "day"), "30.44"),
        (priced(2900) | {"quantity": 0}, "0.00"),
        (priced(None, unit_amount_decimal="0.5") | {"quantity": 1000}, "5.00"),
        (priced(None), "0.00"),
        ({"price": {"unit_amount": 5000}}, "0.00"),
        ({"plan": {"amount": 2900, "interval": "month"}, "quantity": 2}, "58.00"),
    ],
    ids=["seats", "yearly", "two_years", "quarterly", "weekly", "daily", "none", "fractions", "tiers", "once", "plan"],
)
def test_a_price_is_made_monthly(item, expected):
    assert mrr(item) == Decimal(expected)


def test_metered_prices_count_as_nothing_because_only_the_invoice_knows():
    metered = {"price": {"unit_amount": 5, "recurring": {"interval": "month", "usage_type": "metered"}}}
    assert mrr(priced(2900), metered) == Decimal("29.00")


def test_the_oldest_shape_carries_its_plan_itself():
    assert mrr(plan={"amount": 2900, "interval": "month"}, quantity=3) == Decimal("87.00")


@pytest.mark.parametrize(
    "discounts",
    [
        {"discount": {"coupon": {"percent_off": 10, "duration": "forever"}}},
        {"discounts": [{"coupon": {"percent_off": 10, "duration": "repeating"}}]},
        {"discounts": [{"source": {"coupon": {"percent_off": 10, "duration": "forever"}, "type": "coupon"}}]},
        {"discounts": [{"coupon": {"amount_off": 12000, "duration": "forever"}}]},
    ],
    ids=["old", "list", "source", "amount"],
)
def test_lasting_discounts_are_taken_off_wherever_the_version_keeps_them(discounts):
    assert mrr(priced(120000, "year"), **discounts) == Decimal("90.00")


def test_a_discount_for_one_invoice_or_known_only_by_its_id_changes_nothing():
    once = {"coupon": {"percent_off": 50, "duration": "once"}}
    assert mrr(priced(2900), discounts=[once, "di_1", {"source": {"coupon": "TEN"}}]) == Decimal("29.00")


def test_an_item_has_discounts_of_its_own():
    half = [{"coupon": {"percent_off": 50, "duration": "forever"}}]
    assert mrr(priced(2000) | {"discounts": half}, priced(1000)) == Decimal("20.00")


def test_nobody_pays_less_than_nothing():
    assert mrr(priced(1000), discounts=[{"coupon": {"amount_off": 5000, "duration": "forever"}}]) == 0


@pytest.mark.parametrize("status", ["trialing", "incomplete", "canceled", "paused"])
def test_money_counts_only_while_it_is_owed(status):
    assert mrr(priced(2900), status=status) == 0


def test_a_period_of_a_yearly_contract_costs_its_price():
    made = {"id": "sub_1", "status": "active", "items": {"data": [priced(100000, "year")]}}
    assert per_period(Subscription.model_validate(made), "EUR") == Decimal("1000.00")


def test_currencies_have_the_decimals_stripe_counts_in():
    assert units(500, "JPY") == 500
    assert units(5125, "KWD") == Decimal("5.125")
    assert units(500, "ISK") == 5
    assert mrr(priced(4980), currency="JPY") == 4980


@given(st.integers(-(10**15), 10**15), st.sampled_from(["EUR", "JPY", "KWD", "UGX"]))
def test_units_and_smallest_undo_each_other(amount, currency):
    assert smallest(units(amount, currency), currency) == amount
