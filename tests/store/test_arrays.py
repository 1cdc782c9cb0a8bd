"""Arrays, written as PostgreSQL reads them."""

import os
import struct

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.store import arrays
from hub.store.arrays import array
from tests.engines import VARIABLE


@pytest.fixture(scope="module")
def connection():
    if not os.environ.get(VARIABLE):
        pytest.skip(f"no PostgreSQL: {VARIABLE} is not set (make servers starts one)")
    with psycopg.connect(os.environ[VARIABLE]) as opened:
        arrays.adapt(opened)
        yield opened


QUIET = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=1_200)


def back(connection, kind, items):
    """What PostgreSQL reads."""
    (found,) = connection.execute(f"select %s::{kind}[]", [array(items, kind)]).fetchone()
    return found


@QUIET
@given(st.lists(st.binary(max_size=2_000) | st.none()))
def test_bytes_come_back_as_they_were(connection, items):
    found = back(connection, "bytea", items)
    assert [item if item is None else bytes(item) for item in found] == items


@QUIET
@given(st.lists(TEXTS | st.none()))
def test_texts_come_back_without_what_postgresql_cannot_hold(connection, items):
    assert back(connection, "text", items) == [item if item is None else item.replace("\0", "") for item in items]


@QUIET
@given(st.lists(st.integers(-(2**31), 2**31 - 1) | st.none()))
def test_numbers_come_back_as_they_were(connection, items):
    assert back(connection, "int4", items) == items
    assert back(connection, "int8", [item and item * 2**31 for item in items]) == [i and i * 2**31 for i in items]


@QUIET
@given(st.lists(st.floats(allow_nan=False) | st.none()))
def test_fractions_come_back_as_they_were(connection, items):
    assert back(connection, "float8", items) == items


@pytest.mark.parametrize("items", [[2**31], [None, 2**31], ["1"]])
def test_a_number_that_does_not_fit_is_refused(items):
    with pytest.raises(struct.error):
        array(items, "int4")
