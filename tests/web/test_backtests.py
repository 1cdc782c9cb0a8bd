"""Backtests asked for on a page: run in a process of their own, told by any, called off, interrupted, asked again."""

import re
import sys
import time

import msgspec
import pytest
from sqlalchemy import insert

from hub.store import backtests as kept_in
from hub.store import schema
from hub.success.apart import Order, Word, run
from hub.success.replaying import Asked, replayed
from hub.web.backtests import SILENT, Backtests, Wanted
from scoring.config import Config
from tests.proof.past import config, orders
from tests.web.conftest import Asker
from tests.web.serving import context
from tests.web.test_pages import words
from tests.web.test_scorecard import Editor

DAY = 86_400.0
OLD = config()
NEW = Config.model_validate(
    OLD.model_dump()
    | {"scorecard": OLD.model_dump()["scorecard"] | {"limits": [{"when": {"silence": ">= 14"}, "cap": 20}]}}
)
WANTED = Wanted(measures="m", scorecard="s", since="", tick="7d", was="a", becomes="b", lines=["scorecard, x: 1 -> 2"])
PATIENCE = 240  # seconds a busy machine may take


def archived(database, story):
    rows = [
        {
            "account": account,
            "occurred_at": one.occurred_at.timestamp(),
            "received_at": one.occurred_at.timestamp(),
            "kind": one.kind,
            "connection": one.connection,
            "event": one.id,
            "body": msgspec.json.encode(one),
        }
        for one, account in story
    ]
    database.write(lambda connection: connection.execute(insert(schema.archive), rows)).result()


def order(database, **changes):
    url = database.url.render_as_string(hide_password=False)
    return Order(**{"database": url, "old": OLD.body, "new": NEW.body, "every": 7 * DAY, "draws": 0} | changes)


def child(*lines, then=""):
    """A program that says these words."""
    said = "".join(f"print({msgspec.json.encode(line).decode()!r}, flush=True);" for line in lines)
    return (sys.executable, "-c", f"import sys, time; sys.stdin.readline(); {said} {then}")


def settled(backtests, key, *states):
    until = time.monotonic() + PATIENCE
    while (told := backtests.one(key)).state not in states:
        assert time.monotonic() < until, told
        time.sleep(0.05)
    return told


SLOW = child(Word(step="reading", done=3, of=9), then="time.sleep(600)")


# --- what a backtest is --------------------------------------------------------------------------------------------


def test_what_a_process_of_its_own_finds_is_what_the_command_finds(database):
    archived(database, orders(30, 160))
    backtests = Backtests(database)
    told = settled(backtests, backtests.ask(WANTED, order(database)), "done", "failed")
    with database.read() as connection:
        found, archive = replayed(connection, OLD, NEW, Asked(7 * DAY, draws=0), lambda *_: None)
    assert told.came.archive == archive
    plain = [msgspec.to_builtins(one) for one in (told.came.found, found)]
    for one in plain:
        for side in ("current", "draft"):
            assert one[side].pop("cpu_s")
    assert plain[0] == plain[1]
    assert told.came.found.changed > 0
    assert [step for step, done, of in told.steps if done == of] == ["reading", "in use", "draft"]


def test_it_says_how_far_it_is_and_why_it_cannot(database):
    archived(database, orders(10, 120))
    said = []
    run(order(database), said.append)
    assert {word.step for word in said[:-1]} == {"reading", "in use", "draft"}
    assert said[-1].found is not None
    for wrong, why in (({"every": 3_600.0}, "the time between two looks looks more than 60 times"),
                       ({"until": 0.0}, "holds no event until"), ({"since": 1e11}, "nobody is looked at")):  # fmt: skip
        said.clear()
        run(order(database, **wrong), said.append)
        assert why in said[-1].error


@pytest.mark.parametrize(("says", "why"), [
    (child(Word(error="the archive holds no event")), "the archive holds no event"),
    (child(then="sys.exit(3)"), "ended without an answer"),
    (child(then="print('no json')"), "ended without an answer"),
    (("/nowhere/at/all",), "could not be started"),
])  # fmt: skip
def test_one_that_fails_says_why(database, says, why):
    backtests = Backtests(database, command=says)
    assert why in settled(backtests, backtests.ask(WANTED, order(database)), "failed").came.error


def test_one_is_run_at_a_time_and_each_can_be_called_off(database):
    backtests = Backtests(database, command=SLOW)
    first = backtests.ask(WANTED, order(database))
    settled(backtests, first, "running")
    second = backtests.ask(WANTED, order(database))
    while backtests.one(first).steps != [("reading", 3, 9)]:
        assert backtests.one(first).state == "running"
        time.sleep(0.05)
    assert backtests.one(second).state == "waiting"
    assert Backtests(database).cancel(second)  # any process may
    assert backtests.one(second).state == "canceled"
    third = backtests.ask(WANTED, order(database))
    assert backtests.cancel(first)
    assert not backtests.cancel(first)
    settled(backtests, third, "running")
    assert backtests.one(first).state == "canceled"
    assert backtests.cancel(third)


def test_one_whose_process_died_is_interrupted_and_its_draft_is_kept(database):
    backtests = Backtests(database, command=SLOW)
    key = backtests.ask(WANTED, order(database))
    settled(backtests, key, "running")
    later = Backtests(database, now=lambda: time.time() + SILENT + 5)
    assert later.one(key).state == "interrupted"
    assert later.one(key).wanted == WANTED
    assert backtests.cancel(key)


def test_the_newest_twenty_are_kept(database):
    def fill(connection):
        for n in range(kept_in.KEPT + 5):
            kept_in.add(connection, f"k{n:02}", float(n), msgspec.json.encode(WANTED).decode())

    database.write(fill).result()
    found = Backtests(database).newest()
    assert [one.id for one in found] == [f"k{n:02}" for n in range(24, 4, -1)]


# --- as people see it ----------------------------------------------------------------------------------------------


@pytest.fixture
def editor(few):
    return Editor(Asker(context(few))).opened()


def asked(editor, **more):
    """Where a backtest of a heavier adoption can be seen."""
    answer = editor.send("/scorecard/backtests", **{"w:adoption": "9", "since": "", "tick": "7d"} | more)
    assert answer.status_code == 303, words(answer.text)[:400]
    return answer.headers["location"]


def until_over(editor, where):
    until = time.monotonic() + PATIENCE
    while "Call it off" in (page := editor.site.ask(where).text):
        assert 'http-equiv="refresh"' in page  # without scripts it looks again by itself
        assert time.monotonic() < until
        time.sleep(0.2)
    return page


def test_a_draft_is_replayed_and_the_page_shows_what_came_of_it(editor):
    where = asked(editor)
    told = words(until_over(editor, where))
    assert "Done" in told
    assert re.search(r"of \d+ customers would be in another band", told)
    assert "Alerts that would have left" in told
    assert "Insufficient labels" in told
    assert "scorecard, dimensions, adoption, weight 4" in told
    assert "refresh" not in editor.site.ask(where).text
    again = words(editor.site.ask("/scorecard").text)
    assert "1 change" in again
    assert "done" in again
    draft = editor.opened(f"/scorecard?draft={where.rsplit('/', 1)[-1]}")
    assert draft.form["w:adoption"] == "9"
    assert "This is a draft" in words(draft.page.text)


def test_it_can_be_asked_for_again(editor):
    where = asked(editor)
    key = where.rsplit("/", 1)[-1]
    until_over(editor, where)
    form = {"form_token": editor.form["form_token"], "again": key, "since": "", "tick": "7d"}
    answer = editor.site.ask("/scorecard/backtests", "POST", data=form)
    assert answer.status_code == 303
    assert answer.headers["location"] != where
    assert "weight 4" in words(until_over(editor, answer.headers["location"]))


def test_what_cannot_be_replayed_is_refused_in_words(editor):
    same = editor.send("/scorecard/backtests", since="", tick="7d")
    assert "It says what runs" in words(same.text)
    wrong = editor.send("/scorecard/backtests", scorecard="dimensions: [", since="", tick="7d")
    assert "to put right" in words(wrong.text)
    for more in ({"tick": "soon"}, {"tick": "forever"}, {"since": "-3d"}, {"tick": "0d"}, {"since": "nan"}):
        answer = editor.send("/scorecard/backtests", **{"w:adoption": "9", "since": "", "tick": "7d"} | more)
        assert answer.status_code == 400
        assert "no length of time" in words(answer.text)
    told = words(until_over(editor, asked(editor, tick="1h")))
    assert "more than 60 times within the horizon" in told
    assert editor.site.ask("/scorecard/backtests/none").status_code == 404
    assert editor.site.ask("/scorecard/backtests/%3Cscript%3E").status_code == 404


def test_a_form_that_is_not_ours_begins_and_ends_nothing(editor):
    assert editor.send("/scorecard/backtests", form_token="x").status_code == 403
    assert editor.site.ask("/scorecard/backtests/abc/cancel", "POST", data={}).status_code == 403


def test_without_a_past_it_says_so(empty_site):
    editor = Editor(empty_site).opened()
    told = words(until_over(editor, asked(editor)))
    assert "Could not be done" in told
    assert "there is no past to replay" in told
