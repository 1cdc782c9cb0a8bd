"""What customers who buy now and then will bring: the models, held to their sources and to people made by them."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import hyp2f1, roots_jacobi

from scoring.value import coming, orders, spending
from scoring.value.coming import Pace, Pasts
from scoring.value.orders import History, Numbers
from scoring.value.spending import Spend

CALM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
TRUE = Numbers(Pace(0.9, 40.0, 0.7, 2.5), Spend(4.0, 3.5, 120.0))
PACES = st.builds(
    Pace,
    st.floats(0.2, 5),
    st.floats(2, 500),
    st.floats(0.05, 5).filter(lambda a: abs(a - 1) > 0.01),
    st.floats(0.3, 20),
)
NAMES = [f"acc_{n}" for n in range(10_000)]


def comes(pace, one, days):
    return coming.expected(pace, one, np.array([float(days)]))[0]


def past(again, last, age):
    return Pasts(*(np.array([one], float) for one in (again, last, age)))


def company(number, *, age=300.0, after=120.0, seed=1):
    """Customers made by the models themselves, and what they spend in the days after."""
    random = np.random.default_rng(seed)
    (r, alpha, a, b), (p, q, gamma) = TRUE
    rows, truth = [], []
    for _ in range(number):
        begun = random.uniform(10.0, age)
        pace, gone = random.gamma(r, 1 / alpha), random.beta(a, b)
        at, times = 0.0, []
        while (at := at + random.exponential(1 / pace)) <= begun + after:
            times.append(at)
            if random.random() < gone:
                break
        scale = random.gamma(q, 1 / gamma)
        known = [one for one in times if one <= begun]
        paid = random.gamma(p, 1 / scale, len(known) + 1).sum()
        rows.append((len(known), known[-1] if known else 0.0, begun, len(known) + 1, paid))
        truth.append(random.gamma(p, 1 / scale, len(times) - len(known)).sum())
    columns = np.array(rows).T
    return History(NAMES[:number], Pasts(*columns[:3]), columns[3], columns[4]), np.array(truth)


@CALM
@given(PACES, st.integers(0, 30), st.floats(0, 1), st.floats(1, 700), st.floats(1, 400))
def test_what_is_expected_is_the_integral_over_all_that_a_customer_may_be(pace, again, share, age, days):
    last = age * share if again else 0.0
    one = past(again, last, age)

    def of(gone):
        """Of a customer that is one: (1 - exp(-pace gone days)) / gone, over its pace."""
        return (1 - ((pace.alpha + age) / (pace.alpha + age + gone * days)) ** (pace.r + again)) / gone

    points, weights = roots_jacobi(80, pace.b + again - 1, pace.a - 1)  # of a beta distribution
    whole = weights @ of((1 + points) / 2) / weights.sum()
    found = comes(pace, one, days)[0]
    assert found == pytest.approx(whole * coming.alive(pace, one)[0], rel=1e-6, abs=1e-12)


@CALM
@given(PACES, st.integers(1, 12), st.floats(0, 1), st.floats(1, 700), st.floats(1, 400))
def test_what_is_expected_is_equation_10_of_fader_hardie_and_lee(pace, again, share, age, days):
    r, alpha, a, b = pace
    last = age * share
    series = hyp2f1(r + again, b + again, a + b + again - 1, days / (alpha + age + days))
    above = (a + b + again - 1) / (a - 1) * (1 - ((alpha + age) / (alpha + age + days)) ** (r + again) * series)
    below = 1 + a / (b + again - 1) * ((alpha + age) / (alpha + last)) ** (r + again)
    assert comes(pace, past(again, last, age), days)[0] == pytest.approx(above / below, rel=1e-6)


@CALM
@given(PACES, st.integers(1, 300), st.floats(1, 700), st.floats(1, 400))
def test_who_came_more_often_and_just_now_is_expected_not_less(pace, again, age, days):
    few, more = (comes(pace, past(times, age, age), days)[0] for times in (again, again + 1))
    assert more >= few * (1 - 1e-9)


@CALM
@given(PACES, st.integers(0, 300), st.floats(0, 1), st.floats(1, 700), st.floats(1, 400))
def test_longer_silence_brings_less_and_longer_waiting_more(pace, again, share, age, days):
    one = past(again, age * share if again else 0.0, age)
    now = comes(pace, one, days)[0]
    assert 0.0 <= now <= (pace.r + again) / (pace.alpha + age) * days * (1 + 1e-9)
    assert comes(pace, one._replace(age=one.age + 30.0), days)[0] <= now * (1 + 1e-9)
    assert comes(pace, one, days + 30.0)[0] >= now * (1 - 1e-9)


def test_nothing_is_odd_where_the_closed_form_divides_by_nothing_or_fails():
    one = past(3, 50, 100)
    at, beside = (comes(Pace(0.8, 40.0, a, 2.0), one, 90.0)[0] for a in (1.0, 1.001))
    assert at == pytest.approx(beside, rel=1e-3)
    assert 0.0 < comes(Pace(0.8, 40.0, 0.4, 0.6), past(0, 0, 100), 90.0)[0] < 2.0  # a + b + x - 1 is 0
    assert 10.0 < comes(Pace(1.0, 2.0, 2.0, 1.0), past(101, 1, 1), 28.0)[0] < 103.0  # (a + b + x - 1) / (a - 1)
    assert np.isfinite(comes(TRUE.pace, past(5_000, 999, 1_000), 3_650.0)).all()


def test_a_likelihood_of_all_that_can_happen_is_one():
    """Of somebody who comes again or not within a moment: the chances of both add up."""
    pace, age = TRUE.pace, 30.0
    never = math.exp(coming.likelihood(pace, past(0, 0, age))[0])
    r, alpha, _, _ = pace
    assert never == pytest.approx((alpha / (alpha + age)) ** r)
    once = quad(lambda at: math.exp(coming.likelihood(pace, past(1, at, age))[0]), 0, age)[0]
    more = 1 - never - once
    assert 0.0 < more < 1.0 - never


def test_the_numbers_of_a_made_company_are_found_again():
    known, _ = company(4_000)
    found = orders.fitted(known)
    assert found.pace.r / found.pace.alpha == pytest.approx(TRUE.pace.r / TRUE.pace.alpha, rel=0.15)
    assert found.pace.a / (found.pace.a + found.pace.b) == pytest.approx(0.7 / 3.2, rel=0.2)
    mean = TRUE.spend.p * TRUE.spend.gamma / (TRUE.spend.q - 1)
    assert found.spend.p * found.spend.gamma / (found.spend.q - 1) == pytest.approx(mean, rel=0.1)
    assert found.spend.p == pytest.approx(TRUE.spend.p, rel=0.2)


def test_of_a_made_company_the_bounds_hold_as_much_as_they_promise():
    known, truth = company(3_000)
    numbers = orders.fitted(known)
    said = orders.expected(numbers, known, 120.0, 0.0)
    assert said.value.sum() == pytest.approx(truth.sum(), rel=0.1)
    drawn = orders.draws(numbers, known, 120.0)
    for share in (0.5, 0.8, 0.9):
        low, high = orders.narrowest(drawn, np.full(len(truth), share))
        inside = ((truth >= low) & (truth <= high)).mean()
        # who most probably brings nothing cannot have less than nothing between the bounds
        assert share - 0.03 < inside < share + 0.03 or ((high == 0.0) & (truth == 0.0)).mean() > 0.1, (share, inside)


def test_draws_have_the_mean_that_is_expected_and_are_the_same_again():
    known, _ = company(400)
    drawn = orders.draws(TRUE, known, 120.0)
    assert drawn.mean() == pytest.approx(orders.expected(TRUE, known, 120.0, 0.0).value.mean(), rel=0.05)
    assert np.array_equal(drawn, orders.draws(TRUE, known, 120.0))
    some = known.some(np.array([3, 7]))
    assert np.array_equal(drawn[[3, 7]], orders.draws(TRUE, some, 120.0)), "whoever else is valued"


@CALM
@given(st.floats(0, 1), st.floats(30, 400))
def test_money_of_later_is_worth_less_but_not_less_than_at_the_end(discount, days):
    known, _ = company(20)
    said = orders.expected(TRUE, known, days, discount)
    assert (said.discounted <= said.value * (1 + 1e-12)).all()
    assert (said.discounted >= said.value * (1 + discount) ** (-days / 365.25) * (1 - 1e-12)).all()


@CALM
@given(st.floats(0.01, 1e6), st.integers(1, 200))
def test_who_came_once_is_mostly_like_all_and_who_came_often_like_itself(mean, times):
    one = np.array([mean])
    usual = TRUE.spend.p * TRUE.spend.gamma / (TRUE.spend.q - 1)
    found = spending.expected(TRUE.spend, np.array([float(times)]), one)[0]
    assert min(mean, usual) * (1 - 1e-9) <= found <= max(mean, usual) * (1 + 1e-9)
    assert abs(spending.expected(TRUE.spend, np.array([times + 1.0]), one)[0] - mean) <= abs(found - mean) + 1e-9 * mean


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e5])
def test_another_currency_is_the_same_customers(unit):
    known, _ = company(300)
    plain = orders.expected(orders.fitted(known), known, 90.0, 0.1).value
    other = known._replace(spent=known.spent * unit)
    assert orders.expected(orders.fitted(other), other, 90.0, 0.1).value == pytest.approx(plain * unit, rel=1e-3)


def test_one_absurd_sum_does_not_speak_for_everybody():
    known, _ = company(300)
    plain = orders.expected(orders.fitted(known), known, 90.0, 0.0).value
    spent = known.spent.copy()
    spent[0] = 1e12
    mad = known._replace(spent=spent)
    others = orders.expected(orders.fitted(mad), mad, 90.0, 0.0).value[1:]
    assert others.sum() == pytest.approx(plain[1:].sum(), rel=0.25)


def test_all_alike_or_all_new_is_no_trouble():
    alike = History(
        NAMES[:60], Pasts(np.full(60, 3.0), np.full(60, 90.0), np.full(60, 100.0)), np.full(60, 4.0), np.full(60, 400.0)
    )
    new = History(NAMES[:60], Pasts(np.zeros(60), np.zeros(60), np.zeros(60)), np.ones(60), np.full(60, 10.0))
    for known in (alike, new):
        numbers = orders.fitted(known)
        said = orders.expected(numbers, known, 365.0, 0.1)
        assert all(np.isfinite(column).all() for column in said)
        assert np.isfinite(orders.draws(numbers, known, 365.0)).all()
    assert orders.expected(orders.fitted(alike), alike, 90.0, 0.0).each == pytest.approx(np.full(60, 100.0), rel=0.01)


@CALM
@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=50), st.floats(0.05, 1))
def test_the_narrowest_range_holds_its_share_and_none_is_narrower(numbers, share):
    drawn = np.sort(np.array([numbers]))
    low, high = orders.narrowest(drawn, np.array([share]))
    held = int(((drawn >= low) & (drawn <= high)).sum())
    assert held >= math.ceil(share * len(numbers) - 1e-9)
    many = max(1, math.ceil(share * len(numbers) - 1e-9))
    widths = [drawn[0, n + many - 1] - drawn[0, n] for n in range(len(numbers) - many + 1)]
    assert high[0] - low[0] <= min(widths) + 1e-9 * max(1.0, drawn.max())
