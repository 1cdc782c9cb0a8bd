from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import hub
from hub.store.database import Database
from scoring.loading import load, remember, remembered
from scoring.scorer import Scorer
from tests.engines import url

RETAIL = Path(__file__).parents[2] / "examples" / "online-retail" / "scoring"
MEASURE = "{name: logins, family: count, kinds: [session.started], dimension: use, label: x, direction: up}"
SCORECARD = """
dimensions: [{name: use, weight: 1, measures: [{measure: logins, weight: 1, low: 0, high: 9}]}]
outcome: {kinds: [account.deleted], horizon: 60d, every: 7d}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "measures.yaml").write_text(f"- {MEASURE}\n")
    (tmp_path / "scorecard.yaml").write_text(SCORECARD)
    return tmp_path


def test_the_defaults_are_whole_and_can_be_scored_with():
    config = load()
    assert 20 <= len(config.measures) <= 30
    assert Scorer(config, None).names[0] == "usage_7d"
    used = {t.measure for d in config.scorecard.dimensions for t in d.measures}
    assert used <= {measure.name for measure in config.measures}


def test_every_label_of_ours_has_room_for_its_number():
    for config in (load(), load(RETAIL)):
        assert all("{n}" in measure.label for measure in config.measures)


def test_the_example_says_that_silence_is_loss():
    outcome = load(RETAIL).scorecard.outcome
    assert outcome.silence
    assert outcome.kinds == ["invoice.paid"]
    assert outcome.horizon == 60 * 86_400


def test_the_same_contents_have_the_same_version_and_others_another(folder):
    first = load(folder)
    assert load(folder).version == first.version
    (folder / "scorecard.yaml").write_text(SCORECARD.replace("high: 9", "high: 8"))
    assert load(folder).version != first.version


def test_what_does_not_use_a_later_word_has_the_version_that_it_had_before_there_was_one(folder):
    assert load(folder).version == "e34141ae64f7"


def test_a_missing_file_is_ours(folder):
    (folder / "scorecard.yaml").unlink()
    with pytest.raises(hub.ConfigError, match=r"there is no measure"):  # ours weighs measures that this folder lacks
        load(folder)
    (folder / "measures.yaml").unlink()
    assert load(folder).version == load().version


def test_a_plugin_brings_measures_and_the_file_wins(folder):
    theirs = {"family": "count", "kinds": ["shipment.delayed"], "dimension": "d", "label": "{n}", "direction": "down"}
    config = load(folder, [theirs | {"name": "delays"}, theirs | {"name": "logins"}])
    assert [measure.name for measure in config.measures] == ["logins", "delays"]
    assert list(config.measures[0].kinds) == ["session.started"]


@pytest.mark.parametrize(
    ("measures", "said"),
    [
        ("- {name: [", r"measures\.yaml, line \d+ is not YAML"),
        ("{measures: 3}", r"measures\.yaml: must be a list"),
        ("- 7", r"measures\.yaml, measure 1"),
        ("- {family: count}", r"measures\.yaml, measure 1: name: Field required"),
        (f"- {MEASURE}\n- {MEASURE}", r"logins is declared twice"),
        (f"- {MEASURE.replace('count', 'counts')}", r"logins: family: Input should be"),
        (f"- {MEASURE.replace('count', 'sum')}", r"logins: family sum needs of"),
        (f"- {MEASURE.replace('direction: up', 'half_life: soon, direction: up')}", r"logins: half_life"),
        (f"- {MEASURE.replace('direction: up', 'half_life: 0, direction: up')}", r"logins: half_life"),
        (f"- {MEASURE.replace('logins', 'Log ins')}", r"name: String should match"),
        (
            f"- {MEASURE}\n- {{name: t, family: trend, short: logins, long: nope, dimension: d, label: x, direction: up}}",  # noqa: E501 - one line of YAML
            r"logins is no count or sum with a half-life",
        ),
        ("[]", r"at least 1 item"),
    ],
)
def test_a_wrong_file_is_an_error_that_says_where(folder, measures, said):
    (folder / "measures.yaml").write_text(measures)
    with pytest.raises(hub.ConfigError, match=said):
        load(folder)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("logins", "logouts", r"dimension use: there is no measure logouts"),
        ("60d", "forever", r"scorecard\.yaml, outcome: .*must end some day"),
        ("7d", "1h", r"at most 60 snapshots"),
        ("[account.deleted]", "[]", r"scorecard\.yaml, outcome\.kinds"),
        ("weight: 1, measures", "weight: -1, measures", r"scorecard\.yaml, dimensions\.0\.weight"),
        ("outcome", "outcomes", r"scorecard\.yaml, outcome"),
        ("kinds: [account.deleted]", "any: []", r"with `kinds` or with `any`"),
        ("kinds:", "any: {silent: a.b}, kinds:", r"with `kinds` or with `any`"),
        ("kinds: [account.deleted]", "any: {moved: away}", r"outcome\.any\.0: a way to lose a customer names one of"),
        ("kinds: [account.deleted]", "any: {contraction: logins, by: 0}", r"contraction\.by: .*greater than 0"),
        ("kinds: [account.deleted]", "any: {contraction: logins, by: 100%}", r"contraction\.by: .*less than 1"),
        ("kinds: [account.deleted]", "any: {contraction: logins, by: .nan}", r"contraction\.by: "),
        (
            "kinds: [account.deleted]",
            "any: {contraction: mrr, by: 20%}",
            r"contraction: there is no measure mrr",
        ),
        ("kinds: [account.deleted]", "any: {contraction: logins, by: 20%}", r"logins moves as time passes"),
        ("kinds: [account.deleted]", "any: {not_renewed: logins}", r"logins is no date until which a contract runs"),
        ("kinds: [account.deleted]", "any: {not_renewed: logins, grace: 61d}", r"a grace longer than the horizon"),
        ("kinds: [account.deleted]", "any: {not_renewed: logins, grace: .nan}", r"not_renewed\.grace: "),
        ("kinds: [account.deleted]", "any: {silent: a.b, after: 61d}", r"a silence longer than the horizon"),
        ("kinds: [account.deleted]", "any: {silent: a.b}, silence: true", r"`silence` says something of `kinds`"),
    ],
)
def test_a_wrong_scorecard_is_an_error_that_says_where(folder, old, new, said):
    (folder / "scorecard.yaml").write_text(SCORECARD.replace(old, new))
    with pytest.raises(hub.ConfigError, match=said):
        load(folder)


def test_what_is_no_folder_and_what_is_no_text_are_errors(folder):
    with pytest.raises(hub.ConfigError, match="there is no folder"):
        load(folder / "elsewhere")
    (folder / "measures.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(hub.ConfigError, match="not UTF-8"):
        load(folder)


@pytest.mark.usefixtures("engine")
def test_a_configuration_is_remembered_under_its_version(tmp_path):
    config = load()
    with Database(url(tmp_path)) as database:
        for at in (1.0, 2.0):
            database.write(lambda connection, at=at: remember(connection, config, at)).result()
        with database.read() as connection:
            assert remembered(connection, config.version) == config
            assert remembered(connection, "another") is None


def test_the_defaults_ship_with_the_package(tmp_path):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", f"from hatchling.build import build_wheel; print(build_wheel({str(tmp_path)!r}))"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode and "No module named 'hatchling'" in done.stderr:
        assert '"scoring"' in (root / "pyproject.toml").read_text()  # all files of a package are part of a wheel
        return
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    assert "scoring/defaults/measures.yaml" in zipfile.ZipFile(wheel).namelist()
