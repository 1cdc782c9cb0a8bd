"""`override`: somebody sets a customer's health, and takes it back."""

import pytest

from tests.cli.conftest import record, send, some
from tests.e2e.kit import document, pulsehub, until, up


def health(place):
    return document(place.data, "explain", "Left Ltd", settings=place.settings)


def test_a_health_is_set_until_a_day_and_taken_back(tmp_path):
    place = some(tmp_path)
    with up(place.data, place.settings) as hub:
        send(hub.url, record(70, "left", kind="account.updated", name="Left Ltd"))
        until(lambda: '"Left Ltd"' in str(pulsehub(place.data, "accounts", "--json", settings=place.settings).stdout))
        words = ("--health", "12", "--until", "30d", "--reason", "sold", "--author", "ann")
        told = document(place.data, "override", "Left Ltd", *words, settings=place.settings)
        until(lambda: health(place)["health"] == 12)
        why = health(place)
        assert (why["override"]["author"], why["override"]["reason"]) == ("ann", "sold")
        assert why["computed"] != 12
        said = pulsehub(place.data, "explain", "Left Ltd", settings=place.settings).stdout
        assert "set by hand to 12 until" in said
        assert "by ann: sold" in said
        document(place.data, "override", "Left Ltd", "--clear", "--reason", "not sold", settings=place.settings)
        until(lambda: health(place)["override"] is None)
        assert health(place)["health"] == pytest.approx(why["computed"], abs=0.5)
        listed = document(place.data, "override", "Left Ltd", settings=place.settings)
        assert [one["health"] for one in listed["overrides"]] == [None, 12]
        assert listed["account"] == told["account"]
    assert document(place.data, "doctor", settings=place.settings)["ok"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--health", "12", "--until", "30d"], "who says so, and why?"),
        (["--health", "12", "--reason", "x"], "--until '' is no day"),
        (["--health", "12", "--until", "soon", "--reason", "x"], "--until 'soon' is no day"),
        (["--health", "12", "--until", "2001-01-01", "--reason", "x"], "ends in the future"),
        (["--health", "120", "--until", "30d", "--reason", "x"], "health is 0 to 100"),
        (["--health", "12", "--clear"], "one of them"),
    ],
)
def test_what_cannot_be_meant_is_refused(filled, words, said):
    done = pulsehub(filled.data, "override", "parcel:company:evil", *words, settings=filled.settings)
    assert done.returncode == 1
    assert said in done.stderr
