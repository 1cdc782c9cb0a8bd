import json
from importlib import import_module
from pathlib import Path

import pytest

from bench import memory, path
from bench.__main__ import ASKED, NAMES, main, table
from bench.result import at_least, at_most, below, digits, told
from bench.traffic import everybody, traffic

DOCS = Path(__file__).parents[2] / "docs" / "performance.md"


def _made_up(name):
    return [at_least(name, 1.234567, "of a bare loop", 0.9), below(f"{name}.slow", 300, "ms", 250), told("n", 5, "MB")]


def test_a_machine_gets_one_list_and_nothing_else(capsys):
    assert main(["path", "start", "--json"], _made_up) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found] == ["path", "path.slow", "n", "start", "start.slow", "n"]
    assert all(set(one) == {"name", "value", "unit", "goal", "holds"} for one in found)
    assert found[0] == {"name": "path", "value": 1.235, "unit": "of a bare loop", "goal": ">= 0.9", "holds": True}
    assert [one["holds"] for one in found[:3]] == [True, False, True]


def test_people_get_a_table_of_all_that_says_what_does_not_hold(capsys):
    assert main([], _made_up) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in NAMES)
    assert "DOES NOT HOLD" in printed


def test_a_bench_that_is_not_there_is_wrong_use(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["paht"], _made_up)
    assert stopped.value.code == 2
    said = capsys.readouterr()
    assert "paht" in said.err
    assert not said.out


@pytest.mark.parametrize("name", [*NAMES, *ASKED])
def test_every_bench_says_what_it_leaves_out(name):
    module = import_module(f"bench.{name}")
    assert callable(module.run)
    assert "Measured:" in module.__doc__
    assert "Left out:" in module.__doc__
    assert name in ASKED or f"`{name}`" in DOCS.read_text(encoding="utf-8")


def test_a_bench_gets_the_options_it_knows(monkeypatch):
    got = {}

    def run(events=1, broker=""):
        got.update(events=events, broker=broker)
        return []

    monkeypatch.setattr(path, "run", run)
    assert main(["path", "--json", "--events", "7", "--repeat", "2", "--broker", "kafka://b/p"]) == 0
    assert got == {"events": 7, "broker": "kafka://b/p"}


def test_a_goal_holds_at_its_edge_but_not_where_it_must_stay_below():
    assert at_least("x", 0.9, "", 0.9).holds
    assert at_most("x", 2.0, "", 2).holds
    assert not below("x", 100, "", 100).holds
    assert digits(0) == 0


def test_a_table_lines_up():
    lines = table([told("a", 1, "MB"), told("long.name", 12_345, "events/s")]).splitlines()
    assert [line.index("MB") for line in lines if "MB" in line] == [line.index("ev") for line in lines if "ev" in line]


def test_traffic_is_the_same_for_the_same_seed_and_no_event_comes_twice():
    first, again = (traffic(500, 50, seed=7, until=1.8e9) for _ in range(2))
    assert first == again
    assert len({one.event.id for one in [*first, *traffic(500, 50, seed=8), *everybody(50)]}) == 1_050


def test_engine_and_bare_loop_do_the_same_work():
    found = {result.name: result for result in path.run(events=600, accounts=60, rounds=1)}
    assert set(found) >= {"path", "path.events", "path.bare"}
    assert all(result.value > 0 for result in found.values())


def test_memory_is_measured_by_the_account(tmp_path):
    found = memory.measure(tmp_path, accounts=3_000, met=200)
    assert found["process"] > 0
    assert found["account"] > 500
