"""`backtest`: a draft replayed over the archive, on every engine; right and wrong."""

import msgspec
import pytest
import yaml
from sqlalchemy import delete, func, insert, select

from hub import settings as settings_of
from hub.store import schema
from hub.store.database import Database
from hub.success.past import PastFalls
from scoring.archive import Stale, forget
from scoring.config import Config
from scoring.loading import load
from scoring.proof.backtest import Replay, backtest
from tests.e2e.kit import document, pulsehub
from tests.engines import engine, url  # noqa: F401 - a fixture
from tests.proof.past import config, orders, told

STORY = orders(80, 220)
STRICT = [{"when": {"silence": ">= 14"}, "cap": 20}]


class Past:
    """An installation whose archive holds a story, and drafts beside it."""

    def __init__(self, folder, story=()):
        self.folder, self.data, self.scoring = folder, folder / "data", folder / "scoring"
        self.data.mkdir()
        self.scoring.mkdir()
        said = config().model_dump(mode="json")
        (self.scoring / "measures.yaml").write_text(yaml.safe_dump(said["measures"]))
        self.scorecard = said["scorecard"]
        (self.scoring / "scorecard.yaml").write_text(yaml.safe_dump(self.scorecard))
        database = url(self.data)
        where = {} if database.startswith("sqlite") else {"PULSEHUB_DATABASE_URL": database}
        if where:
            where["PULSEHUB_BROKER_URL"] = "kafka://127.0.0.1:9/nobody"  # which nobody asks
        self.settings = where | {"PULSEHUB_SCORING": str(self.scoring), "PULSEHUB_CLOCK": "event"}
        self._database = settings_of.load(self.settings | {"PULSEHUB_DATA": str(self.data)}, None)[0].database
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
        self.write(lambda connection: connection.execute(insert(schema.archive), rows) if rows else None)

    def write(self, what):
        with Database(self._database) as database:
            return database.write(what).result()

    def draft(self, **changes):
        path = self.folder / "draft.yaml"
        path.write_text(yaml.safe_dump(self.scorecard | changes))
        return path

    def told(self, draft, *more):
        return document(self.data, "backtest", draft, "--draws", "0", *more, settings=self.settings)

    def said(self, draft, *more):
        return pulsehub(self.data, "backtest", draft, "--draws", "0", *more, settings=self.settings)


@pytest.fixture
def past(engine, tmp_path):  # noqa: F811 - the fixture
    return Past(tmp_path, STORY)


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """Only to be read."""
    return Past(tmp_path_factory.mktemp("past"), STORY)


def test_the_archive_tells_what_the_story_told(past):
    """Through the database, on either engine, it comes to what the replay of the same events in memory comes to."""
    draft = past.draft(limits=STRICT)
    found = past.told(draft)
    sides: list[Config] = [load(past.scoring), load(past.scoring, draft={"scorecard.yaml": draft})]
    expected = backtest(*(Replay(one, one.version, told(one, STORY)) for one in sides), PastFalls, draws=0)
    assert found["all"] == expected.all
    assert found["last"] == expected.last
    assert found["changed"] == expected.changed > 0
    assert found["draft"]["alerts"] == expected.draft.alerts > found["current"]["alerts"]
    assert found["draft"]["writes"] == expected.draft.writes
    assert found["draft"]["warning"] == msgspec.to_builtins(expected.draft.warning)
    assert (found["from"], found["to"]) == tuple(one.version for one in sides)
    assert found["changes"] == ["scorecard, limits, when silence >= 14, cap 20: new"]
    assert found["archive"]["events"] == len(STORY)


def test_a_draft_that_says_the_same_changes_nobody(looked_at):
    found = looked_at.told(looked_at.scoring)
    assert (found["changes"], found["changed"], found["ever"], found["most"]) == ([], 0, 0, [])
    assert found["current"]["alerts"] == found["draft"]["alerts"]


def test_people_get_a_matrix_and_what_it_is_worth(looked_at):
    said = looked_at.said(looked_at.draft(limits=STRICT))
    assert said.returncode == 0, said.stderr
    assert "scorecard, limits, when silence >= 14, cap 20: new" in said.stdout
    for words in ("band in use", "field writes", "lost: seen at risk before", "only the draft would have told of"):
        assert words in said.stdout
    assert "looks from" not in said.stderr  # a pipe gets the answer, and only that


def test_what_happens_later_does_not_change_what_was(looked_at):
    """Cut off by --until and looked at from --since on: the same look, in the same bands."""
    draft = looked_at.draft(limits=STRICT)
    cut = looked_at.told(draft, "--until", "2026-07-20T00:00Z")
    again = looked_at.told(draft, "--until", "2026-07-20T00:00Z", "--since", "2026-07-01")
    assert cut["ends"] == again["ends"] <= "2026-07-20T00:00:00Z"
    assert again["begins"] >= "2026-07-01"
    assert cut["last"] == again["last"]
    assert cut["looks"] > again["looks"] == 3
    assert cut["archive"]["events"] < len(STORY)


def test_who_was_merged_is_one_customer(past):
    accounts = past.told(past.scoring)["accounts"]
    row = {"absorbed": "shop-001", "survivor": "shop-000", "at": 0.0, "why": "the same"}

    def merge(connection):
        connection.execute(insert(schema.merges).values(row))

    past.write(merge)
    assert past.told(past.scoring)["accounts"] == accounts - 1


def test_nothing_is_written(looked_at):
    def counts(connection):
        return {
            name: connection.scalar(select(func.count()).select_from(t)) for name, t in schema.metadata.tables.items()
        }

    before = looked_at.write(counts)
    looked_at.told(looked_at.draft(limits=STRICT))
    assert looked_at.write(counts) == before


def test_what_the_archive_let_go_of_cannot_be_asked_for(past):
    def prune(connection):
        rows = connection.scalars(select(schema.archive.c.row).order_by(schema.archive.c.row).limit(100)).all()
        forget(connection, Stale(list(rows), []))

    past.write(prune)
    ended = past.said(past.scoring, "--since", "2026-03-03")
    assert ended.returncode == 2
    assert "100 events before were let go of (PULSEHUB_ARCHIVE_DAYS)" in ended.stderr
    assert "the archive begins" in past.said(past.scoring).stderr
    assert past.told(past.scoring)["archive"]["forgotten"] == 100
    past.write(lambda connection: connection.execute(delete(schema.archive)))
    ended = past.said(past.scoring)
    assert (ended.returncode, "there is no past to replay" in ended.stderr) == (2, True)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--since", "yesterday"), "is no day, moment or span"),
        (("--tick", "soon"), "is no time"),
        (("--tick", "6h"), "looks more than 60 times within the horizon"),
        (("--since", "2026-09-01", "--until", "2026-08-01"), "is after --until"),
        (("--until", "2020-01-01"), "the archive holds no event until"),
        (("--since", "2029-01-01"), "nobody is looked at in that time"),
    ],
)
def test_what_cannot_be_asked_is_said(looked_at, more, why):
    ended = looked_at.said(looked_at.scoring, *more)
    assert (ended.returncode, why in ended.stderr) == (2, True), ended.stderr


def test_a_draft_that_makes_no_sense_is_refused(looked_at, tmp_path):
    draft = looked_at.draft(limits=[{"when": {"mrr": ">= 1"}, "cap": 5}])
    ended = looked_at.said(draft)
    assert (ended.returncode, "there is no measure mrr" in ended.stderr) == (2, True)
    assert looked_at.said(tmp_path / "none.yaml").returncode == 2
    assert pulsehub(tmp_path / "nowhere", "backtest", draft).returncode != 0
    assert not (tmp_path / "nowhere").exists()
