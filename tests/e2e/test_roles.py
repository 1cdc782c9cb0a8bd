"""The roles as an operator runs them: two webs, two workers of different rooms, a learner; one of them dies."""

import itertools
import json
import signal
import time
from contextlib import contextmanager
from types import SimpleNamespace

import httpx
import pytest

from hub.cli.running import DRAIN
from tests.e2e.kit import Running, document, post, quiet, until
from tests.e2e.stage import world
from tests.e2e.test_main_job import reference, shown
from tests.installations import installation

ROLES = {
    "web-1": ["web"],
    "web-2": ["web"],
    "scoring": ["worker", "--rooms", "scoring"],
    "others": ["worker", "--rooms", "success,sinks,ingest"],
    "learner": ["learner"],
}


@contextmanager
def roles(folder, settings):
    """All of them, started at once as machines of a rack are; by name."""

    def start(name):
        return Running(folder, settings, *ROLES[name], name=name)

    company = SimpleNamespace(running={}, gone=[], start=start)
    try:
        company.running |= {name: start(name) for name in ROLES}
        yield company
    finally:
        for one in company.running.values():
            if one.process.poll() is None:
                one.kill()


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """Northwind's bad hour, told to both webs, while the worker that scores it is killed and replaced."""
    folder = tmp_path_factory.mktemp("roles") / "data"
    with installation("large") as ours, world() as around:
        broker = ours["PULSEHUB_BROKER_URL"] + "?session=6"  # seconds until the dead one's partitions are another's
        settings = around.settings | ours | {"PULSEHUB_BROKER_URL": broker}
        with roles(folder, settings) as company:
            webs = [company.running[name].url for name in ("web-1", "web-2")]
            turns = itertools.cycle(webs)
            for ping in (ping for pings in around.founding().values() for ping in pings):
                post(next(turns), ping)
            until(lambda: httpx.get(f"{webs[0]}/api/accounts").json()["total"] == 1, why=lambda: said(company))
            killed = company.running["scoring"]
            killed.kill()
            for ping in (ping for pings in around.trouble().values() for ping in pings):
                post(next(turns), ping)
            company.gone.append(killed)
            company.running["scoring"] = company.start("scoring")

            def fallen():
                told = httpx.get(f"{webs[1]}/api/accounts/{reference(around)}").json()
                return told if told["band"] == "at_risk" and shown(around, told) else None

            account = until(fallen, why=lambda: said(company))
            books = quiet(folder, settings)
            until(lambda: around.inbox.mails, why=lambda: said(company))
            mails = list(around.inbox.mails)
            numbers = {name: httpx.get(f"{one.url}/metrics").text for name, one in company.running.items()}
            ready = {name: httpx.get(f"{one.url}/readyz").status_code for name, one in company.running.items()}
            began = time.monotonic()
            for one in company.running.values():
                one.process.send_signal(signal.SIGTERM)
            ends = {name: (one.ended(), time.monotonic() - began) for name, one in company.running.items()}
            yield SimpleNamespace(
                account=account,
                books=books,
                after=document(folder, "doctor", settings=settings, status=1),
                mails=mails,
                numbers=numbers,
                ready=ready,
                ends=ends,
                logs={one.log.stem: one.said() for one in (*company.running.values(), *company.gone)},
            )


def said(company):
    return "\n".join(f"--- {name}\n{one.said()[-1_500:]}" for name, one in company.running.items())


def test_what_both_webs_took_is_scored_by_one_worker_and_shown_by_another(lived):
    assert lived.account["band"] == "at_risk"
    assert any(driver["text"] == "9 urgent tickets open" for driver in lived.account["drivers"])
    assert len(lived.mails) == 1
    for name, events in (("web-1", "accepted"), ("web-2", "accepted"), ("scoring", "scoring.rescore")):
        assert events in lived.numbers[name], name
    assert 'pulsehub_deliveries_total{outcome="ok",sink="salesforce"}' in lived.numbers["others"]
    assert 'pulsehub_deliveries_total{outcome="ok",sink="salesforce"}' not in lived.numbers["scoring"]


def test_each_was_able_again_after_one_had_died(lived):
    assert lived.ready == dict.fromkeys(ROLES, 200)


def test_the_books_balance_before_the_end_and_after_it(lived):
    assert lived.books["ok"] is True
    wrong = {one["name"] for one in lived.after["checks"] if one["state"] == "wrong"}
    assert wrong in ({"processes"}, {"rooms"})  # nobody works; who was killed counts as there for twenty seconds
    for told in (lived.books, lived.after):
        assert (told["applied"], told["dead_lettered"], told["pending"]) == (40, 0, 0)
        assert told["received"] == 40 + told["duplicates"]  # what the dead one had said is said again by the next


def test_told_to_stop_each_ends_within_its_bound_and_well(lived):
    assert {name: status for name, (status, _) in lived.ends.items()} == dict.fromkeys(ROLES, 0)
    assert max(seconds for _, seconds in lived.ends.values()) < DRAIN


def test_no_process_says_that_anything_is_wrong(lived):
    assert lived.logs.keys() == ROLES.keys()
    for name, log in lived.logs.items():
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        assert [line for line in lines if line["level"] in ("error", "critical")] == [], name
        assert "Traceback" not in log, name
