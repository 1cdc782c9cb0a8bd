"""`merge`: a person says that two customers are one, and takes it back."""

from types import SimpleNamespace

import pytest

from hub.cli.merging import _both
from hub.sdk.errors import HubError
from hub.store import schema
from tests.cli.conftest import Plugin, record, send, some
from tests.e2e.kit import document, pulsehub, until, up


def listed(place):
    return document(place.data, "accounts", settings=place.settings)["accounts"]


def titles(place):
    return [one["name"] for one in listed(place)]


def test_two_customers_become_one_and_two_again(tmp_path):
    place = some(tmp_path)
    with up(place.data, place.settings) as hub:
        for number, name in ((70, "left"), (71, "right")):
            send(hub.url, record(number, name, kind="account.updated", name=f"{name.title()} Ltd"))
        until(lambda: {"Left Ltd", "Right Ltd"} <= set(titles(place)))
        told = document(place.data, "merge", "Left Ltd", "parcel:company:right", settings=place.settings)
        until(lambda: len({"Left Ltd", "Right Ltd"} & set(titles(place))) == 1)
        events = document(place.data, "events", told["survivor"], settings=place.settings)["events"]
        assert {"parcel:70", "parcel:71"} <= {event["id"] for event in events}
        again = pulsehub(place.data, "merge", told["survivor"], "parcel:company:right", settings=place.settings)
        assert again.returncode == 1
        assert "are one customer already" in again.stderr
        document(place.data, "merge", told["survivor"], told["absorbed"], "--undo", settings=place.settings)
        until(lambda: {"Left Ltd", "Right Ltd"} <= set(titles(place)))
    assert document(place.data, "doctor", settings=place.settings)["ok"]


def test_by_the_clock_of_events_a_merge_is_no_later_than_what_happened(tmp_path):
    place = SimpleNamespace(data=tmp_path / "data", settings=Plugin(tmp_path / "site").settings)
    place.settings |= {"PULSEHUB_CLOCK": "event"}
    with up(place.data, place.settings) as hub:
        for number, name in ((70, "left"), (71, "right")):
            at = f"2020-05-0{number - 69}T12:00:00+00:00"
            send(hub.url, record(number, name, at=at, kind="account.updated", name=f"{name.title()} Ltd"))
        until(lambda: {"Left Ltd", "Right Ltd"} <= set(titles(place)))
        told = document(place.data, "merge", "Left Ltd", "parcel:company:right", settings=place.settings)
        until(lambda: [one["scored_at"] is None for one in listed(place)] == [False])
        (one,) = listed(place)
        assert (one["id"], one["scored_at"][:10], one["last_event_at"][:10]) == (told["survivor"], *["2020-05-02"] * 2)


@pytest.mark.parametrize("named", ["acc_1", "acc_2"])
def test_a_merge_whose_survivor_was_merged_too_is_taken_back_by_either_name(database, named):
    def chain(connection):
        row = {"partition": 0, "state": b"", "scored_at": 0.0, "last_event_at": 0.0, "model_version": 0}
        connection.execute(schema.accounts.insert().values(id="acc_1", **row))
        for absorbed, survivor in (("acc_3", "acc_2"), ("acc_2", "acc_1")):
            merge = {"absorbed": absorbed, "survivor": survivor, "at": 0.0, "why": "told so"}
            connection.execute(schema.merges.insert().values(merge))

    database.write(chain).result()
    assert _both(database, named, "acc_3", undo=True) == ("acc_2", "acc_3")
    with pytest.raises(HubError, match="was not merged into"):
        _both(database, "acc_1", "acc_1", undo=True)
