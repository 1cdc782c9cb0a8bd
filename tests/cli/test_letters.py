"""`deadletters` and `replay`: what a plugin could not read is read by its next version."""

import json

import pytest

from tests.cli.conftest import record, send, some
from tests.e2e.kit import document, until, up
from tests.e2e.truth import accounted


@pytest.fixture
def place(tmp_path):
    return some(tmp_path)


def letters(place, *options):
    return document(place.data, "deadletters", "list", *options, settings=place.settings)["dead_letters"]


def test_a_letter_is_listed_shown_and_revived_by_a_mended_plugin(place):
    (letter,) = letters(place)
    assert (letter["stage"], letter["connection"], letter["state"]) == ("normalize", "parcel", "open")
    assert letter["version"] == "parcel-pulsehub 1.0"
    shown = document(place.data, "deadletters", "show", letter["id"], settings=place.settings)
    assert json.loads(shown["body"])["customer"] == "zeta"
    told = document(place.data, "doctor", settings=place.settings)
    assert (told["ok"], told["received"], told["applied"], told["dead_lettered"]) == (True, 5, 4, 1)

    still = document(place.data, "deadletters", "replay", "--all", settings=place.settings, status=1)
    assert (still["letters"], still["accepted"], list(still["failed"])) == (0, 0, [letter["id"]])
    assert letters(place) == [letter]

    place.plugin.mend()
    revived = document(place.data, "deadletters", "replay", letter["id"], settings=place.settings)
    assert (revived["letters"], revived["accepted"], revived["failed"]) == (1, 1, {})
    assert letters(place) == []
    assert [one["state"] for one in letters(place, "--state", "replayed")] == ["replayed"]
    with up(place.data, place.settings):
        until(lambda: accounted(place.data)[0].pending == 0)
    (event,) = document(place.data, "events", "parcel:company:zeta")["events"]
    assert event["id"] == "parcel:99"
    told = document(place.data, "doctor", settings=place.settings)
    assert (told["ok"], told["applied"], told["pending"]) == (True, 5, 0)
    again = document(place.data, "deadletters", "replay", "--all", settings=place.settings)
    assert (again["letters"], again["accepted"]) == (0, 0)


def test_kept_bodies_are_read_again_beside_a_running_hub(place):
    place.plugin.mend()
    with up(place.data, place.settings) as hub:
        told = document(place.data, "replay", "parcel", settings=place.settings)
        assert (told["accepted"], told["duplicates"], told["failed"]) == (1, 4, {})
        send(hub.url, record(50, "zeta"))
        until(lambda: accounted(place.data)[0].applied == 6)
        again = document(place.data, "replay", "parcel", settings=place.settings)
        assert (again["accepted"], again["duplicates"]) == (0, 6)
    books, rows = accounted(place.data)
    assert (books.balanced, books.applied, rows) == (True, 6, 6)
