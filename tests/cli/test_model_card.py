"""`models` and its card, on every engine: an installation without outcomes, and one with some."""

import json

import pytest

from hub import settings as settings_of
from hub.store.database import Database
from scoring.proof.quality import quality
from tests.e2e.kit import document, pulsehub
from tests.engines import engine, url  # noqa: F401 - a fixture
from tests.web import companies
from tests.web.learned import WEEKS, learn


@pytest.fixture
def place(engine, tmp_path):  # noqa: F811 - the fixture
    database = url(tmp_path)
    large = {"PULSEHUB_DATABASE_URL": database, "PULSEHUB_BROKER_URL": "kafka://127.0.0.1:9/nobody"}
    settings = {"PULSEHUB_CLOCK": "event"} | ({} if database.startswith("sqlite") else large)
    at = settings_of.load(settings | {"PULSEHUB_DATA": str(tmp_path)}, None)[0].database
    with Database(at) as opened:
        yield tmp_path, settings, opened


def test_the_card_has_the_figures_of_the_judgment(place):
    folder, settings, database = place
    learn(database, companies.fill(database, number=12))
    with database.read() as connection:
        judged = {skill.name: skill for skill in quality(connection).heard}
    told = document(folder, "models", "card", settings=settings)
    assert told["labels"] == 12 * WEEKS
    assert {one["name"]: one["auc"]["value"] for one in told["experts"]} == {n: s.auc for n, s in judged.items()}
    said = pulsehub(folder, "models", "card", "--top", "7", settings=settings).stdout
    assert said.startswith("# Model card: ")
    assert f"| mix | {judged['mix'].labels} | {judged['mix'].auc:.3f} (" in said
    assert "\n| 7 | " in said
    assert len(document(folder, "models", settings=settings)["versions"]) == 10


def test_without_an_outcome_the_card_says_what_is_missing(place):
    folder, settings, _ = place
    said = pulsehub(folder, "models", "card", settings=settings).stdout
    assert "Insufficient labels: needs 100 more outcomes" in said
    assert json.loads(pulsehub(folder, "models", "card", "--json", settings=settings).stdout)["experts"] == []
