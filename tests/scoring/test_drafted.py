"""A draft as it is typed: understood, or told what is wrong, on which line, and what would be right."""

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.drafted import MEASURES, SCORECARD, drafted
from scoring.loading import load, text
from scoring.weights import reweighed, weights
from scoring.yamls import LONGEST, parse

OURS = {name: text(None, name) for name in (MEASURES, SCORECARD)}


def problems(file, old, new):
    assert old in OURS[file]
    texts = OURS | {file: OURS[file].replace(old, new, 1)}
    found = drafted(texts[MEASURES], texts[SCORECARD])
    assert found.config is None
    return found.problems


def test_what_we_ship_is_understood_as_it_is_when_it_is_started():
    found = drafted(OURS[MEASURES], OURS[SCORECARD])
    assert found.problems == []
    assert found.config.version == load().version


SLIPS = [
    (SCORECARD, "weight: 4", "wieght: 4", 6, "there is no field `wieght`", "write `weight`"),
    (SCORECARD, "weight: 4", "weight: 0", 6, "must be more than 0", "delete its line"),
    (SCORECARD, "weight: 4", "weight: .nan", 6, "no number", "finite"),
    (SCORECARD, "weight: 4", "weight: .inf", 6, "no number", "finite"),
    (SCORECARD, "weight: 4", "weight: 1e400", 6, "no number", "finite"),
    (SCORECARD, "weight: 4", "weight: many", 6, "`many`", "finite"),
    (SCORECARD, "weight: 4", "weight: 4\n    weight: 5", 7, "said twice", "keep one"),
    (SCORECARD, "weight: 4", "\tweight: 4", 6, "not YAML", "no tabs"),
    (SCORECARD, "measure: usage_trend", "measure: usage_trendd", 8, "no measure usage_trendd", "write `usage_trend`"),
    (SCORECARD, "low: 0.4, ", "low: .nan, ", 8, "no number", "finite"),
    (SCORECARD, "low: 0.4, ", "", 8, "two different bounds", ""),
    (SCORECARD, "steady: 60", "steady: 90", 58, "watch < steady < thriving", ""),
    (SCORECARD, "horizon: 60d", "horizon: soon", 48, "no length of time", "7d"),
    (SCORECARD, "horizon: 60d", "horizon: forever", 46, "must end some day", ""),
    (MEASURES, "family: count", "family: cuont", 10, "`cuont`", "write `count`"),
    (MEASURES, "half_life: 7d", "half_life: .nan", 12, "more than 0", ""),
    (MEASURES, "direction: up", "directoin: up", 15, "no field `directoin`", "write `direction`"),
    (MEASURES, "- name: usage_7d", "- name: Usage 7", 9, "`Usage 7`", "small letters"),
    (MEASURES, "- name: usage_30d", "- name: usage_7d", 9, "declared twice", ""),
]


@pytest.mark.parametrize("slip", SLIPS, ids=[slip[2][:24] for slip in SLIPS])
def test_a_slip_is_told_with_its_line_and_what_to_do(slip):
    file, old, new, line, said, todo = slip
    found = problems(file, old, new)
    assert any(one.file == file and one.line == line and said in one.said and todo in one.todo for one in found), found


HOSTILE = {
    "a bomb of aliases": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefghi", "bcdefghij", strict=True)),
    "a circle": "dimensions: &d [*d]\noutcome: 1",
    "nested too deeply": "[" * 50_000,
    "nested too deeply, by lines": "\n".join(" " * n + "a:" for n in range(240)),
    "too long": "x" * (LONGEST + 1),
    "a tag that runs things": "!!python/object/apply:os.system [ls]",
    "two documents": "a: 1\n---\nb: 2",
    "a control character": "a: \x00",
    "a number of 5,000 digits": "hysteresis: " + "9" * 5_000,
    "a list for a key": "? [a]\n: 3",
    "nothing": "",
    "a number": "3",
    "no mapping where there must be one": "dimensions: 3\noutcome: []",
    "merge keys of nothing": "<<: 3",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_what_is_hostile_is_refused_in_words_and_at_once(body):
    begun = time.process_time()
    for texts in ((OURS[MEASURES], body), (body, OURS[SCORECARD])):
        found = drafted(*texts)
        assert found.config is None
        assert found.problems
        assert all(one.said and len(one.said) < 400 for one in found.problems)
    assert time.process_time() - begun < 5


def test_too_many_measures_are_refused():
    many = "".join(
        f"- {{name: m{n}, family: count, kinds: [a], dimension: d, label: x, direction: up}}\n" for n in range(300)
    )
    (one,) = drafted(many, OURS[SCORECARD]).problems
    assert "300 measures" in one.said


def test_an_anchor_that_is_used_honestly_is_fine():
    shared = OURS[SCORECARD].replace("{measure: usage_trend, weight: 3,", "{measure: usage_trend, weight: &w 3,")
    shared = shared.replace("{measure: active_days, weight: 3,", "{measure: active_days, weight: *w,")
    assert drafted(OURS[MEASURES], shared).config.version == load().version


def test_measures_of_plugins_can_be_weighed_and_the_files_own_win():
    more = [{"name": "parcels", "family": "count", "kinds": ["p"], "dimension": "d", "label": "x", "direction": "up"}]
    weighed = OURS[SCORECARD].replace("measure: usage_trend", "measure: parcels", 1)
    assert drafted(OURS[MEASURES], weighed, more).config is not None
    assert drafted(OURS[MEASURES], weighed).config is None
    assert drafted(OURS[MEASURES], OURS[SCORECARD], [more[0] | {"name": "usage_7d"}]).config.version == load().version


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_whatever_is_typed_gets_an_answer(typed):
    for texts in ((OURS[MEASURES], typed), (typed, OURS[SCORECARD])):
        found = drafted(*texts)
        assert (found.config is None) == bool(found.problems)


# --- weights -------------------------------------------------------------------------------------------------------


def nodes(body):
    return parse(SCORECARD, body).node


def test_weights_are_those_of_the_text_with_their_shares():
    sides = weights(nodes(OURS[SCORECARD]))
    assert [(side.weight.key, side.weight.value) for side in sides] == [
        ("adoption", 4), ("support", 3), ("billing", 2), ("relationship", 1), ("sentiment", 1)
    ]  # fmt: skip
    assert sides[0].measures[0].key == "adoption.usage_trend"
    assert sum(side.weight.share for side in sides) == pytest.approx(1)
    assert all(sum(one.share for one in side.measures) == pytest.approx(1) for side in sides)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["adoption", "support.urgent_tickets", "sentiment.nps", "nobody"]),
                       st.floats(0.001, 9e5)))  # fmt: skip
def test_a_changed_weight_changes_that_number_and_not_a_letter_else(changes):
    before = OURS[SCORECARD]
    after = reweighed(before, nodes(before), changes)
    found = {w.key: w.value for side in weights(nodes(after)) for w in (side.weight, *side.measures)}
    kept = {w.key: w.value for side in weights(nodes(before)) for w in (side.weight, *side.measures)}
    assert found == pytest.approx(kept | {k: v for k, v in changes.items() if k != "nobody"}, rel=1e-5)
    assert len(after.splitlines()) == len(before.splitlines())
    strip = str.maketrans("", "", "0123456789.e+-")
    assert after.translate(strip) == before.translate(strip)


def test_a_measure_that_is_weighed_twice_has_two_weights():
    body = "dimensions: [{name: d, weight: 1, measures: [{measure: m, weight: 2}, {measure: m, weight: 3}]}]"
    (side,) = weights(nodes(body))
    assert [one.key for one in side.measures] == ["d.m", "d.m.2"]
    assert reweighed(body, nodes(body), {"d.m.2": 7.5}) == body.replace("weight: 3", "weight: 7.5")


@pytest.mark.parametrize("body", ["", "dimensions: 3", "dimensions: [{}]", "dimensions: [{name: d, weight: .nan}]",
                                  "dimensions: [{name: d, weight: [1]}]"])  # fmt: skip
def test_where_there_is_no_weight_none_is_shown(body):
    assert weights(nodes(body)) == []


def test_yaml_with_letters_beyond_ascii_keeps_its_places():
    body = "# Größe 🎯\ndimensions:\n  - {name: über, weight: 4, measures: []}\n"
    assert yaml.safe_load(reweighed(body, nodes(body), {"über": 5}))["dimensions"][0]["weight"] == 5
