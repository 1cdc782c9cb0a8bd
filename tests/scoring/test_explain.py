from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import select

from hub.store import schema
from scoring.clock import DAY
from scoring.explaining.explain import explain
from scoring.scorers import Scorers
from tests.scoring.room import START, Room, event

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path)
    yield room
    room.close()


def explained(room, account="acc_1"):
    with room.database.read() as connection:
        return explain(connection, account, room.config, Scorers(room.config))


def lived(room):
    room.take(
        [event("session.started", START - day * DAY, id=f"s{day}", contact=f"acme:user:{day % 4}") for day in range(20)]
    )
    for place in range(3):
        room.now += 3_600
        room.take([event("ticket.opened", room.now, entity=f"acme:ticket:{place}", properties={"priority": "urgent"})])
    room.take([event("invoice.paid", room.now, amount=120, currency="EUR")])


def test_an_explanation_is_of_the_health_that_is_stored(room):
    lived(room)
    why = explained(room)
    [stored] = room.rows(select(schema.accounts))
    assert why.health == pytest.approx(stored.health, abs=1e-9)
    assert why.risk == pytest.approx(stored.risk, abs=1e-9)
    assert (why.band, why.as_of) == (stored.band, stored.scored_at)


def test_drivers_sum_to_the_difference_from_the_base(room):
    lived(room)
    why = explained(room)
    assert why.base + sum(driver.points for driver in why.drivers) == pytest.approx(why.health, abs=1e-9)
    texts = [driver.text for driver in why.drivers]
    assert "3 urgent tickets open" in texts


def test_it_stays_so_as_time_passes_and_after_a_restart(room):
    lived(room)
    room.pass_days(9)
    room.start()
    why = explained(room)
    [stored] = room.rows(select(schema.accounts))
    assert why.health == pytest.approx(stored.health, abs=1e-9)
    assert why.as_of == stored.scored_at > START + 5 * DAY


def test_a_measure_says_its_number_and_when_it_last_heard_something(room):
    lived(room)
    found = {reading.name: reading for reading in explained(room).measures}
    assert found["urgent_tickets"].value == 3
    assert found["urgent_tickets"].as_of == START + 3 * 3_600
    assert found["usage_7d"].as_of == found["usage_trend"].as_of == START
    assert found["nps"].value is None
    assert found["nps"].as_of is None


def test_an_explanation_uses_the_model_that_was_used(room):
    lived(room)
    room.learned(version=1, base_rate=0.5)
    room.tick()
    why = explained(room)
    assert why.model_version == 1
    assert why.health == pytest.approx(room.rows(select(schema.accounts.c.health))[0][0], abs=1e-9)


def test_nobody_is_explained_who_is_not_there(room):
    assert explained(room, "acc_nobody") is None


def test_it_can_be_printed_as_json(room):
    lived(room)
    document = msgspec.json.decode(msgspec.json.encode(explained(room)))
    assert set(document) == {
        "health",
        "band",
        "risk",
        "base",
        "drivers",
        "measures",
        "as_of",
        "config_version",
        "model_version",
        "computed",
        "override",
        "card",
        "rollup",
        "confidence",
        "sources",
        "outlook",
        "left",
    }


def test_it_says_how_a_customer_was_lost_and_when_until_it_is_back(room):
    lived(room)
    assert explained(room).left is None
    room.now += DAY
    ended = room.now
    room.take([event("subscription.cancelled", ended, id="ended")])
    assert explained(room).band == "left"
    assert explained(room).left == ("subscription.cancelled", ended)
    room.now += DAY
    room.take([event("subscription.started", room.now, id="back")])
    assert explained(room).left is None


def test_it_says_how_likely_the_customer_pays_more_or_what_is_missing(room):
    lived(room)
    outlook = explained(room).outlook
    assert outlook.words == "mrr up by 10 % or more"
    assert (outlook.chance, outlook.missing) == (None, 100)
