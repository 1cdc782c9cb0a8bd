from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import Driver
from scoring.drivers import BEYOND, number, strongest, words
from tests.scoring.judging import config

PARTS = (*config().measures, BEYOND)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (-0.001, "0"),
        (3.0, "3"),
        (0.256, "0.26"),
        (1.26, "1.3"),
        (9.96, "10"),
        (45.2, "45"),
        (-12.0, "-12"),
        (1234567.8, "1,234,568"),
        (math.inf, "unknown"),
    ],
)
def test_numbers_are_written_as_people_write_them(value, shown):
    assert number(value) == shown


def test_a_driver_speaks_in_the_words_of_its_measure():
    drivers, rest = strongest(PARTS, [2.0, 12.4, 3.0, math.nan], [1.234, -4.0, -9.001, 0.7, 0.0], 3)
    assert drivers == [
        Driver("urgent", "3 urgent tickets open", -9.0, "support"),
        Driver("silence", "last seen 12 days ago", -4.0, "adoption"),
        Driver("logins", "2 logins a week", 1.23, "adoption"),
    ]
    assert rest == pytest.approx(0.7 + 0.004 - 0.001)


def test_what_is_not_known_is_said_so():
    assert words(PARTS[3], math.nan) == "not known: NPS …"
    assert words(PARTS[1], math.nan) == "never yet: last seen … days ago"


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("{n} tickets open", "1 ticket open"),
        ("{n} urgent tickets open", "1 urgent ticket open"),
        ("no sign of use for {n} days", "no sign of use for 1 day"),
        ("{n} people left in recent months", "1 person left in recent months"),
        ("active on {n} of the last 28 days", "active on 1 of the last 28 days"),
        ("{n} refunded in recent weeks", "1 refunded in recent weeks"),
        ("pays {n} a month", "pays 1 a month"),
    ],
)
def test_one_of_something_is_said_in_the_singular(label, said):
    assert words(PARTS[0].model_copy(update={"label": label}), 1.0) == said
    assert words(PARTS[0].model_copy(update={"label": label}), 2.0) == label.replace("{n}", "2")


def test_a_share_is_shown_in_percent():
    label = "use at {n} % of its usual pace"
    pace = PARTS[0].model_copy(update={"family": "trend", "label": label, "unit": "%"})
    assert words(pace, 0.4321) == "use at 43 % of its usual pace"


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "no tickets lately"), (0.01, "no tickets lately"), (0.44, "1 ticket lately"), (8.3, "8 tickets lately")],
)
def test_what_can_be_counted_is_said_whole(value, said):
    assert words(PARTS[0].model_copy(update={"family": "count", "label": "{n} tickets lately"}), value) == said


@pytest.mark.parametrize(("value", "said"), [(0.02, "used today"), (1.9, "last used 1 day ago")])
def test_less_than_a_day_ago_is_today(value, said):
    used = {"family": "recency", "label": "last used {n} days ago", "zero": "used today"}
    assert words(PARTS[0].model_copy(update=used), value) == said


def test_evidence_beyond_belief_has_words_of_its_own():
    drivers, _ = strongest(PARTS, [0.0] * 4, [0.0, 0.0, 0.0, 0.0, -7.0], 3)
    assert [(driver.name, driver.dimension) for driver in drivers] == [(BEYOND, "")]
    assert drivers[0].text == "evidence beyond what any model is believed in"


def test_what_hardly_counts_is_not_named():
    assert strongest(PARTS, [0.0] * 4, [0.04, -0.01, 0.0, 0.0, 0.0], 3) == ([], pytest.approx(0.03))


@settings(deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=5, max_size=5), st.integers(0, 5))
def test_drivers_and_rest_sum_to_all_the_points(points, k):
    drivers, rest = strongest(PARTS, [1.0] * 4, points, k)
    assert len(drivers) <= k
    assert sum(driver.points for driver in drivers) + rest == pytest.approx(sum(points), abs=1e-9)
    sizes = [abs(driver.points) for driver in drivers]
    assert sizes == sorted(sizes, reverse=True)
