"""What an event is worth: arithmetic by a white list, and nothing that could be a program."""

from __future__ import annotations

import gc
import math
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub import ConfigError
from scoring.accounts import measures_of
from scoring.expression import moment, reading
from tests.scoring.judging import MEASURES, config
from tests.scoring.room import event

EVENT = event(
    "usage.tracked", amount="12.5", value=4.0, properties={"seats": 3, "on": True, "plan": "pro", "big": 1e300}
)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("amount", 12.5),
        ("amount / 100", 0.125),
        ("properties.seats * (value + 1) - 2", 13.0),
        ("-properties.seats", -3.0),
        ("min(value, 10, properties.seats)", 3.0),
        ("max(1)", 1.0),
        ("abs(0 - value)", 4.0),
        ("properties.on", 1.0),
        ("properties.plan", math.nan),
        ("properties.none", math.nan),
        ("min(value, properties.none)", math.nan),
        ("value / (value - 4)", math.nan),
        ("properties.big * properties.big", math.nan),
        ("1e14 * 100", math.nan),
    ],
)
def test_it_says_what_the_event_says(written, found):
    assert reading(written)(EVENT) == pytest.approx(found, nan_ok=True)


@given(st.text(max_size=60))
@example("__import__('os').system('true')")
@example("(lambda: 1)()")
@example("properties['seats']")
@example("properties.seats.real")
@example("value ** 9 ** 9")
@example("max(value, key=abs)")
@example("min(*[1])")
@example("'1'")
@example("True")
@example("(" * 100 + "1" + ")" * 100)
@example("value" + " + value" * 80)
def test_anything_else_is_refused_and_nothing_of_it_runs(written):
    with suppress(ValueError):
        assert isinstance(reading(written)(EVENT), float)
        assert not set(written) & set("'\"[]{}=@:!;")


@pytest.mark.parametrize("written", ["", "properties.seats.real", "value ** 9 ** 9", "min(*(1))", "True", "a", "max()"])
def test_what_is_no_arithmetic_of_ours_is_refused(written):
    with pytest.raises(ValueError, match="is no value; write it with amount"):
        reading(written)


class Littering:
    """Its end takes a while, so that a thread is interrupted wherever the collector runs."""

    def __init__(self):
        self.itself = self

    def __del__(self):
        sum(range(200))


@pytest.fixture
def tidy():
    """A collector that runs all the time, in the middle of whatever is made."""
    before, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(5)
    sys.setswitchinterval(1e-6)
    yield
    gc.set_threshold(*before)
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("tidy")
def test_many_threads_may_read_at_once():
    wrong = []

    def read(number):
        try:
            for again in range(400):
                Littering()
                reading(f"value + {number} * {again} - (properties.seats / {again + 1})")
        except Exception as error:  # noqa: BLE001 - whatever a thread meets is told by the test's own
            wrong.append(error)

    threads = [threading.Thread(target=read, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("said", "then"),
    [
        ("2026-12-24", datetime(2026, 12, 24, tzinfo=UTC)),
        ("2026-12-24T18:00:00+02:00", datetime(2026, 12, 24, 16, tzinfo=UTC)),
        ("2026-12-24 18:00", datetime(2026, 12, 24, 18, tzinfo=UTC)),
        (1_798_113_600, datetime(2026, 12, 24, 12, tzinfo=UTC)),
    ],
)
def test_a_date_is_read_as_vendors_write_it(said, then):
    assert moment("properties.ends")(event("a.b", properties={"ends": said})) == then.timestamp()


@pytest.mark.parametrize("said", ["soon", "", "0000-00-00", "9999-12-31", True, -5, 1e18, "2026-13-01", None])
def test_what_is_no_date_says_nothing(said):
    assert math.isnan(moment("properties.ends")(event("a.b", properties={"ends": said})))


@pytest.mark.parametrize("name", ["newest", "events", "health"])
def test_a_measure_cannot_be_called_what_a_row_has_already(name):
    with pytest.raises(ConfigError, match=f"no measure can be called {name}"):
        measures_of(config([*MEASURES[1:], MEASURES[0] | {"name": "logins"}, MEASURES[3] | {"name": name}]), ())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"family": "sum", "of": "value ** 2"}, "is no value"),
        ({"family": "date", "of": "value", "read": "until"}, "is no date"),
        ({"family": "date", "of": "properties.ends"}, "needs read"),
        ({"family": "date", "of": "properties.ends", "read": "open"}, "does not read open"),
        ({"family": "entities", "entity": "ticket", "read": "until"}, "does not read until"),
        ({"family": "gauge", "half_life": "7d"}, "has no half_life"),
        ({"family": "exact", "window": "100d"}, "at most 92 days"),
        ({"family": "exact"}, "needs window"),
        ({"family": "ratio", "top": "logins"}, "needs bottom"),
        ({"family": "ratio", "top": "logins", "bottom": "odd"}, "odd is no measure that can be divided"),
        ({"family": "ratio", "top": "logins", "bottom": "calls"}, "calls is no measure"),
        ({"family": "entities", "entity": "ticket", "read": "open", "stale_after": "7d"}, "has no stale_after"),
    ],
)
def test_a_measure_that_makes_no_sense_is_refused_with_the_reason(wrong, said):
    odd = {"name": "odd", "kinds": ["a.b"], "dimension": "x", "label": "{n}", "direction": "up"} | wrong
    with pytest.raises(ValidationError, match=said):
        config([*MEASURES, odd])
