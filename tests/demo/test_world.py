"""A world tells the same story every time, so that a demo that was interrupted goes on where it stopped."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

import hub
from hub.demo.story import Story
from hub.demo.world import DAY, World

START = datetime(2026, 3, 2, tzinfo=UTC)


def told(world, days):
    return [*world.founding(), *(event for day in range(days) for event in world.day(world.start + day * DAY))]


def test_the_same_seed_tells_the_same_story_with_the_same_ids():
    assert told(World(START, 20), 30) == told(World(START, 20), 30)
    assert told(World(START, 20, seed=8), 30) != told(World(START, 20), 30)


def test_no_two_events_have_one_id():
    ids = Counter(event.id for event in told(World(START, 20), 60))
    assert ids.most_common(1)[0][1] == 1


def test_whoever_is_gone_does_nothing_more():
    world = World(START, 200)
    events = told(world, 180)
    left = {event.account: event.occurred_at for event in events if event.kind == "subscription.cancelled"}
    assert 20 < len(left) < 120
    late = [e for e in events if e.account in left and e.occurred_at > left[e.account] + timedelta(days=1)]
    assert late == []


def test_a_bad_mood_shows_in_what_a_company_does():
    world = World(START, 200)
    told(world, 30)
    keen = [company for company in world.companies if company.keenness > 0.8]
    sad = [company for company in world.companies if company.keenness < 0.4]
    assert keen
    assert sad
    counted = Counter()
    for day in range(30, 37):
        counted.update((e.account, e.kind) for e in world.day(START + day * DAY))

    def share(companies, *kinds):
        return sum(counted[(c.key, kind)] for c in companies for kind in kinds) / len(companies)

    assert share(keen, "usage.tracked", "session.started") > 2 * share(sad, "usage.tracked", "session.started")
    assert share(sad, "ticket.opened") > share(keen, "ticket.opened")


def test_a_story_goes_on_where_it_was_saved(tmp_path):
    path = tmp_path / "demo.json"
    story = Story.open(path, START, 10)
    story.told = 4
    story.save(path)
    assert Story.open(path, START + 50 * DAY, 99) == story
    assert msgspec.json.decode(path.read_bytes())["days"] == 10


def test_a_story_that_cannot_be_read_is_said_so(tmp_path):
    (tmp_path / "demo.json").write_text("{")
    with pytest.raises(hub.ConfigError, match="remove it to begin a new demo"):
        Story.open(tmp_path / "demo.json", START, 10)


def test_the_last_customer_falls_silent_pays_and_stays():
    world = World(START, 20, hush=START + 10 * DAY)
    silent = world.companies[-1]
    heard = [event for event in told(world, 40) if event.account == silent.key and event.occurred_at > world.start]
    before = [event for event in heard if event.occurred_at < START + 10 * DAY]
    assert before
    assert len(before) < len(heard)
    assert {event.kind for event in heard[len(before) :]} <= {"invoice.paid", "invoice.failed", "invoice.overdue"}
    assert not silent.gone
