"""The whole way out, every part real but the scoring: health on the log, rooms, workers, an SMTP server, a CRM."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random

import hub
from hub.demo.inbox import Inbox
from hub.store.database import Database
from hub.store.schema import links, profiles
from hub.streams.log import Entry
from hub.streams.sqlite.log import SqliteLog
from hub.streams.streams import Streams
from hub.streams.testing import until_idle
from hub.streams.topics import partition_of
from hub.success.alerts import Alerts
from sinks.alerts import AlertsOutbox
from sinks.delivery import Deliveries
from sinks.desired import Fields
from sinks.email.settings import EmailSettings
from sinks.email.sink import Email
from sinks.publishing import to_log
from tests.engines import url
from tests.sinks.kit import Crm, flaky, health, record

ACCOUNTS = [f"acc_{n}" for n in range(12)]


class Run:
    """One life of the process."""

    def __init__(self, folder: Path, crm: Crm, email: Email) -> None:
        self.log = SqliteLog(folder / "streams.db", 4)
        self.database = Database(url(folder))
        self.streams = Streams(self.database, self.log)
        self.deliveries = Deliveries(self.database, [crm, email], to_log(self.log, time.time), rng=Random(1))
        self.streams.add(Alerts(["success@hub.example"]), app="success")
        self.streams.add(Fields([crm, email], self.deliveries.wake), app="sinks")
        self.streams.add(AlertsOutbox([crm, email], self.deliveries.wake), app="sinks")

    async def live(self, *, until_quiet: bool) -> None:
        await self.streams.start()
        await self.deliveries.start()
        if until_quiet:
            await until_idle(self.streams)
            await self._delivered()
        else:
            await asyncio.sleep(0.25)
        await self.deliveries.stop()
        await self.streams.stop()
        self.log.close()
        self.database.close()

    async def _delivered(self) -> None:
        async with asyncio.timeout(30):
            while await asyncio.to_thread(self._waiting):  # noqa: ASYNC110 - rows in a database ring no bell
                await asyncio.sleep(0.05)

    def _waiting(self) -> bool:
        question = "select 1 from desired where state='due' union select 1 from alerts where state='due'"
        with self.database.read() as connection:
            return connection.exec_driver_sql(question).first() is not None


def _prepare(folder: Path) -> None:
    with Database(url(folder)) as database:
        at = {"how": "record", "at": 0.0}
        rows = [{"reference": f"crm:{a}", "account": a, **at} for a in ACCOUNTS]
        known = [
            {"account": a, "name": f"Company {a[4:]}", "owner_email": f"{a}@hub.example", "facts": "{}"}
            for a in ACCOUNTS
        ]
        database.write(lambda c: (c.execute(links.insert(), rows), c.execute(profiles.insert(), known))).result()


def _histories(rng: Random) -> dict[str, list[hub.Health]]:
    """Each account falls once, some of them recover, all of them go on moving."""
    now, found = time.time() - 3600, {}
    for n, account in enumerate(ACCOUNTS):
        scores = [*(rng.uniform(60, 90) for _ in range(6)), *(rng.uniform(10, 40) for _ in range(6))]
        if n % 3 == 0:
            scores += [rng.uniform(60, 90) for _ in range(4)]
        was, told = None, []
        for m, score in enumerate(scores):
            band: hub.Band = "at_risk" if score < 45 else "steady"
            told.append(health(account, score, band, at=now + m, was=score, was_band=was))
            was = band
        found[account] = told
    return found


def test_every_fall_is_mailed_once_and_every_record_ends_at_the_newest_through_restarts(tmp_path: Path) -> None:
    rng = Random(3)
    crm = Crm(batch=5)
    flaky(crm, Random(4))
    _prepare(tmp_path)
    histories = _histories(rng)
    moves = [one for told in zip(*(h[:12] for h in histories.values()), strict=True) for one in told]
    moves += [one for told in histories.values() for one in told[12:]]
    with Inbox() as inbox:
        settings = EmailSettings.read({"PULSEHUB_SMTP_URL": inbox.smtp_url})
        assert settings
        sequences: dict[int, int] = {}
        lives = [moves[:40], moves[40:80], moves[80:120], moves[120:]]
        for life in lives:
            run = Run(tmp_path, crm, Email(settings))
            entries = []
            for one in life:
                partition = partition_of(one.account.encode(), 4)
                sequences[partition] = sequence = sequences.get(partition, 0) + 1
                value = record(one, 0).value
                entries.append(
                    Entry("health", partition, one.account.encode(), value, one.at, "scoring.rescore", sequence)
                )
            run.log.append(entries).result()
            asyncio.run(run.live(until_quiet=life is lives[-1]))
        keys = [m.message["Message-ID"] for m in inbox.mails]
        assert len(keys) == len(set(keys))
        subjects = sorted(m.subject.partition(" (")[0].rsplit(" to ", 1)[0] for m in inbox.mails)
    fell = [f"Company {n} fell" for n in range(12)]
    recovered = [f"Company {n} recovered" for n in range(0, 12, 3)]
    assert subjects == sorted(fell + recovered)
    for account, told in histories.items():
        assert crm.shown[account][-1] == round(told[-1].health)
