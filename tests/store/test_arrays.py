"""Arrays of keys, written as PostgreSQL reads them."""

import os

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.store import arrays
from hub.store.arrays import Blobs, Texts
from tests.engines import VARIABLE


@pytest.fixture(scope="module")
def connection():
    if not os.environ.get(VARIABLE):
        pytest.skip(f"no PostgreSQL: {VARIABLE} is not set (make servers starts one)")
    with psycopg.connect(os.environ[VARIABLE]) as opened:
        arrays.adapt(opened)
        yield opened


QUIET = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUIET
@given(st.lists(st.binary(max_size=2_000)))
def test_bytes_come_back_as_they_were(connection, items):
    (found,) = connection.execute("select %s::bytea[]", [Blobs(items)]).fetchone()
    assert list(map(bytes, found)) == items


@QUIET
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=1_200)))
def test_texts_come_back_without_what_postgresql_cannot_hold(connection, items):
    (found,) = connection.execute("select %s::text[]", [Texts(items)]).fetchone()
    assert found == [item.replace("\0", "") for item in items]
