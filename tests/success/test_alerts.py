from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

import hub
from hub.store.database import Database
from hub.store.schema import profiles
from hub.streams.room import Record
from hub.streams.topics import ACTIONS
from hub.success.alerts import Alerts
from tests.engines import url

NOW = 1_772_359_200.0


def _record(sequence: int, score: float, band: hub.Band, was: hub.Band | None, account: str = "acc_1") -> Record:
    health = hub.Health(
        account=account,
        at=NOW + sequence,
        health=score,
        band=band,
        risk=0.3,
        base=70.0,
        drivers=[hub.Driver("tickets", "3 urgent tickets open", score - 70.0)],
        was=None if was is None else 55.0,
        was_band=was,
        name="Northwind",
    )
    return Record(0, sequence, NOW, account.encode(), msgspec.json.encode(health), "scoring.rescore", sequence)


def _alerts() -> Alerts:
    return Alerts(["success@example.com"], clock=lambda: NOW)


def _run(database: Database, room: Alerts, batch: Sequence[Record], *, commit: bool = True) -> list[hub.Action]:
    def run(connection: Any) -> Any:
        step = room.step(connection, batch)
        assert not step.dead
        if commit:
            step.write(connection)
        return step

    step = database.write(run).result()
    return [msgspec.json.decode(m.value, type=hub.Action) for m in step.publish.get(ACTIONS, [])]


def _profile(database: Database, account: str = "acc_1", **more: Any) -> None:
    database.write(lambda c: c.execute(profiles.insert(), {"account": account, "facts": "{}", **more})).result()


FALL = _record(7, 41.0, "at_risk", "watch")


def test_a_fall_becomes_one_action_with_a_key_made_of_facts(database: Database) -> None:
    (told,) = _run(database, _alerts(), [FALL])
    assert told.key == "alert:acc_1:at_risk:7"
    assert (told.kind, told.account, told.name, told.at) == ("band_fell", "acc_1", "Northwind", NOW + 7)
    assert told.health.health == 41.0


def test_the_owner_is_told_and_what_is_known_goes_along(database: Database) -> None:
    _profile(
        database,
        name="Northwind Traders",
        owner="Dana Reyes",
        owner_email="dana@example.com",
        mrr=4200.0,
        currency="USD",
        renewal_on="2026-05-01",
    )
    (told,) = _run(database, _alerts(), [FALL])
    assert told.to == ["dana@example.com"]
    assert told.name == "Northwind Traders"
    assert told.facts == {
        "since": NOW + 7,
        "addressed": "owner",
        "owner": "Dana Reyes",
        "mrr": 4200.0,
        "currency": "USD",
        "renewal_on": "2026-05-01",
        "domain": None,
    }


def test_without_an_owner_those_of_the_settings_are_told(database: Database) -> None:
    (told,) = _run(database, _alerts(), [FALL])
    assert told.to == ["success@example.com"]
    assert told.facts["addressed"] == "list"


def test_a_step_run_again_before_it_was_committed_says_the_same(database: Database) -> None:
    first = _run(database, _alerts(), [FALL], commit=False)
    second = _run(database, _alerts(), [FALL])
    assert first == second


def test_a_fall_is_told_once_across_restarts_and_batches_cut_otherwise(tmp_path: Path) -> None:
    moves = [
        _record(1, 80.0, "thriving", None),
        _record(2, 41.0, "at_risk", "thriving"),
        _record(3, 38.0, "at_risk", "at_risk"),
        _record(4, 56.0, "watch", "at_risk"),
        _record(5, 42.0, "at_risk", "watch"),  # within the quiet period
        _record(6, 57.0, "watch", "at_risk"),
        _record(7, 20.0, "at_risk", "watch"),  # much worse
    ]
    cuts = [[7], [1] * 7, [2, 3, 2], [5, 2]]
    heard = []
    for n, sizes in enumerate(cuts):
        rest, keys = list(moves), []
        for size in sizes:
            with Database(url(tmp_path, f"{n}.db")) as database:  # a restart between any two batches
                keys += [a.key for a in _run(database, _alerts(), rest[:size])]
            rest = rest[size:]
        heard.append(keys)
    assert heard == [["alert:acc_1:at_risk:2", "alert:acc_1:recovered:4", "alert:acc_1:at_risk:7"]] * len(cuts)


def test_accounts_do_not_hush_each_other(database: Database) -> None:
    told = _run(database, _alerts(), [FALL, _record(8, 40.0, "at_risk", "steady", account="acc_2")])
    assert [a.account for a in told] == ["acc_1", "acc_2"]


def test_an_account_that_was_merged_away_alarms_nobody(database: Database) -> None:
    _profile(database, merged_into="acc_2")
    assert _run(database, _alerts(), [FALL]) == []


def test_a_customer_without_a_name_is_still_spoken_of(database: Database) -> None:
    health = msgspec.json.decode(FALL.value)
    del health["name"]
    (told,) = _run(database, _alerts(), [FALL._replace(value=msgspec.json.encode(health))])
    assert told.name == "A customer without a name"


def test_what_is_no_health_is_a_dead_letter_and_stops_nothing(database: Database) -> None:
    with database.read() as connection:
        step = _alerts().step(connection, [FALL._replace(value=b"\xff"), FALL])
    assert [letter.reason.partition(":")[0] for letter in step.dead] == ["not a health"]
    assert len(step.publish[ACTIONS]) == 1
