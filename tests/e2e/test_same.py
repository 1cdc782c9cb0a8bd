"""The same input comes to the same on either engine, customer by customer."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import httpx
import msgspec
import numpy as np
import pytest
from sqlalchemy import select

from hub.demo.story import Story
from hub.demo.world import World
from hub.ingest.intake import seal
from hub.registry import Registry
from hub.settings import load as settings_of
from hub.store import schema
from hub.worker.engine import Engine
from scoring.accounts import measures_of, stored
from scoring.loading import load
from scoring.model import decode
from scoring.scorer import Scorer
from scoring.scorers import Scorers
from tests.e2e.truth import accounted, applied, assert_same_knowledge, reading
from tests.installations import INSTALLATIONS, installation

START = datetime(2024, 3, 1, tzinfo=UTC)
DAYS, COMPANIES, SEED = 150, 30, 20_260
PART = 200  # events appended at once
CLOSE = 1e-9


def history():
    """Some months of some customers, as one source tells them."""
    story = Story(start=START, days=DAYS, seed=SEED)
    world = World(story.start, companies=COMPANIES, seed=SEED)
    now = datetime.now(UTC)  # came now: what came long ago is no longer kept
    for day in range(DAYS):
        for event in story.chapter(world, day):
            ours = {name: f"w:{getattr(event, name)}" for name in ("id", "account")}
            ours |= {name: f"w:{value}" for name in ("entity", "contact") if (value := getattr(event, name))}
            yield seal(msgspec.structs.replace(event, **ours), "w", now)


async def take_in(settings):
    registry = Registry()
    told = list(history())
    async with Engine(settings, registry, registry.configure({}, httpx.AsyncClient())) as engine:
        for begin in range(0, len(told), PART):
            part = told[begin : begin + PART]
            engine.intake.append(engine.intake.pack(part, part[-1].event.occurred_at.timestamp())).result(30)
            assert await engine.drained(60)
        return len(told)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Two installations that were told the same."""
    with installation(INSTALLATIONS[1]) as large:
        found = {}
        for name, ours in zip(INSTALLATIONS, ({}, large), strict=True):
            data = tmp_path_factory.mktemp(name)
            settings, _ = settings_of({"PULSEHUB_DATA": str(data), "PULSEHUB_CLOCK": "event"} | ours)
            many = asyncio.run(take_in(settings))
            found[name] = settings
        end = (START.timestamp()) + DAYS * 86_400
        yield SimpleNamespace(**found, many=many, end=end)


def test_every_event_is_applied_once_and_the_books_are_the_same(both):
    books, rows = accounted(both.embedded)
    assert (books.balanced, books.received, books.applied, rows) == (True, both.many, both.many, both.many)
    assert accounted(both.large) == (books, rows)
    assert applied(both.large) == applied(both.embedded)


def test_customers_are_known_and_measured_alike(both):
    assert_same_knowledge(both.large, both.embedded, both.end, close=CLOSE)


def test_under_one_version_of_the_models_their_health_is_the_same(both):
    config = load(None, Registry().measures())
    with reading(both.embedded) as connection:
        bodies = connection.scalars(select(schema.models.c.body).order_by(schema.models.c.version.desc())).all()
    assert bodies, "nothing was learned"
    scorer = Scorer(config, decode(bodies[0]))
    ours, theirs = healths(both.embedded, scorer, config, both.end), healths(both.large, scorer, config, both.end)
    assert ours.keys() == theirs.keys()
    assert len(set(ours.values())) > COMPANIES / 2
    for account, health in ours.items():
        assert theirs[account] == pytest.approx(health, rel=CLOSE)


def healths(settings, scorer, config, at):
    """Account -> its health by one scorer at one moment."""
    measures = measures_of(config, Scorers(config).names)
    with reading(settings) as connection:
        rows = {
            one: stored(connection, one, measures.layout) for one in connection.scalars(select(schema.accounts.c.id))
        }
    nothing = np.full(1, np.nan), np.full(1, -1, dtype=np.int8)
    return {one: float(scorer.score(measures.read(row, at), *nothing).health[0]) for one, row in rows.items()}
