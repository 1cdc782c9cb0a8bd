"""A fall of a customer whose source has fallen silent is held, and told once the source is heard again."""

from __future__ import annotations

import logging

import msgspec
import pytest
from sqlalchemy import insert, select

import hub
from hub.store import schema
from hub.streams.room import Record
from hub.streams.topics import ACTIONS
from hub.success.alerts import Alerts

DAY = 86_400.0
NOW = 1_772_359_200.0


class Company:
    """The room, its database and a time that can be set."""

    def __init__(self, database):
        self.database, self.now, self.sequence = database, NOW, 0
        self.room = Alerts(["a@example.com"], clock=lambda: self.now, silent_after=3 * DAY)
        with database.read() as connection:
            self.room.assign(connection, [0])

    def heard(self, name, ago, gap=DAY):
        def write(connection):
            connection.execute(schema.heard.delete().where(schema.heard.c.connection == name))
            connection.execute(insert(schema.heard).values(connection=name, at=self.now - ago, gap=gap))

        self.database.write(write).result()

    def told(self, account, *connections):
        def write(connection):
            for name in connections:
                facts = {"kind": "usage.tracked", "event": f"{account}{name}", "body": b"{}"}
                row = {"account": account, "occurred_at": NOW, "received_at": NOW, "connection": name, **facts}
                connection.execute(insert(schema.archive).values(row))

        self.database.write(write).result()

    def health(self, band, was, account="acc_1", score=30.0):
        self.sequence += 1
        health = hub.Health(
            account=account, at=self.now, health=score, band=band, risk=0.3, base=70.0, was=60.0, was_band=was,
            drivers=[hub.Driver("x", "x", -9.0)],
        )  # fmt: skip
        value = msgspec.json.encode(health)

        def write(connection):
            row = {"partition": 0, "sequence": self.sequence, "account": account, "at": self.now, "message": value}
            connection.execute(insert(schema.ledger).values(**row, health=score, was=60.0, band=band, was_band=was))

        self.database.write(write).result()
        return Record(0, self.sequence, self.now, account.encode(), value, "scoring.rescore", self.sequence)

    def step(self, *records):
        return self.run(lambda connection: self.room.step(connection, records))

    def tick(self):
        return self.run(self.room.tick)

    def run(self, ask):
        def job(connection):
            step = ask(connection)
            if step is not None:
                step.write(connection)
            return step

        step = self.database.write(job).result()
        messages = [] if step is None else step.publish.get(ACTIONS, [])
        return [msgspec.json.decode(message.value, type=hub.Action) for message in messages]

    def warned(self):
        with self.database.read() as connection:
            return {row.account: row for row in connection.execute(select(schema.warned))}


@pytest.fixture
def company(database):
    made = Company(database)
    made.heard("zendesk", 60)
    made.heard("segment", 5 * DAY)
    made.told("acc_1", "segment", "zendesk")
    made.told("acc_2", "zendesk")
    return made


def test_whose_sources_are_heard_is_told_at_once_and_who_rests_on_a_silent_one_waits(company, caplog):
    caplog.set_level(logging.WARNING)
    falls = [company.health("at_risk", "watch"), company.health("at_risk", "watch", "acc_2")]
    assert [told.account for told in company.step(*falls)] == ["acc_2"]
    assert company.warned()["acc_1"].held_since == NOW
    assert not company.warned()["acc_1"].open
    assert [(r.message, r.sources) for r in caplog.records if r.name == "hub.success.alerts"] == [
        ("success.waiting", ["segment"])
    ]


def test_once_the_source_is_heard_again_what_still_holds_is_told(company):
    company.step(company.health("at_risk", "watch"))
    company.now += 4 * DAY
    company.heard("zendesk", 60)
    assert company.tick() == []
    company.heard("segment", 60)
    (told,) = company.tick()
    assert (told.account, told.kind, told.facts["since"]) == ("acc_1", "band_fell", NOW)
    assert company.warned()["acc_1"].open
    assert company.tick() == []


def test_who_recovered_meanwhile_is_not_told_of(company):
    company.step(company.health("at_risk", "watch"))
    company.now += DAY
    company.heard("segment", 60)
    assert company.step(company.health("watch", "at_risk", score=50.0)) == []
    assert company.tick() == []
    assert company.warned()["acc_1"].held_since is None


def test_a_fall_and_a_recovery_of_one_batch_are_both_kept_quiet(company):
    both = [company.health("at_risk", "watch"), company.health("watch", "at_risk", score=50.0)]
    assert company.step(*both) == []
    assert company.warned()["acc_1"].held_since is None


def test_good_news_waits_for_nobody(company):
    company.heard("segment", 60)
    assert len(company.step(company.health("at_risk", "watch"))) == 1
    company.heard("segment", 9 * DAY)
    assert [told.kind for told in company.step(company.health("watch", "at_risk", score=50.0))] == ["band_recovered"]


def test_a_file_that_came_once_holds_nothing(company):
    company.heard("segment", 90 * DAY, gap=None)
    assert len(company.step(company.health("at_risk", "watch"))) == 1
