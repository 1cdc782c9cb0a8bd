"""Experts that plugins register: found like everything else, and what cannot be taken is said."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from hub.registry import Registry
from hub.sealing import Seal
from scoring.experts.seating import OURS, seated

EXPERT = """
import hub

class Tally:
    name = {name!r}
    def __init__(self, seed, state=None): pass
    def learn(self, names, features, lost, weight): pass
    def say(self, names, features): return []
    def state(self): return b""

@hub.hookimpl
def register_experts():
    {registers}
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name, registers="yield Tally", expert="tally", code=EXPERT):
        (tmp_path / f"{name}_experts.py").write_text(code.format(name=expert, registers=registers))
        sys.modules.pop(f"{name}_experts", None)
        return EntryPoint(name, f"{name}_experts", "pulsehub.plugins")

    return install


def test_an_expert_is_found_with_the_plugin_it_came_from(installed):
    registry = Registry([installed("acme")])
    (one,) = registry.experts()
    assert (one.name, one.plugin, registry.plugins[0].problem) == ("tally", "acme", None)
    panel = seated(registry, Seal.once())
    assert panel is not None
    assert panel.names == ("tally",)


def test_where_nobody_offers_one_there_is_no_panel():
    assert seated(Registry([]), Seal.once()) is None


@pytest.mark.parametrize(
    ("registers", "expert", "said"),
    [
        ("yield Tally(1)", "tally", "is no class: yield the class"),
        ("yield Tally", "Tally!", "must be small letters, digits and _"),
        ("yield Tally", 7, "must be small letters, digits and _"),
        ("yield Tally", "bayes", "the expert bayes has a name that is ours"),
        ("yield Tally", "mix", "the expert mix has a name that is ours"),
        ("yield Tally; yield Tally", "tally", "is there already, of plugin acme"),
        ("yield type('Odd', (), {'name': 'odd', 'say': len})", "tally", "the expert odd has no learn and no state"),
        ("raise KeyError('x')", "tally", "register_experts: KeyError"),
        ("return 3", "tally", "register_experts: TypeError"),
    ],
)
def test_what_cannot_be_taken_is_the_plugin_s_problem_and_nobody_else_s(installed, registers, expert, said):
    registry = Registry([installed("acme", registers, expert), installed("other", expert="another")])
    found = [one.name for one in registry.experts(OURS)]
    assert "another" in found
    assert said in (registry.plugins[0].problem or "")
    assert registry.plugins[1].problem is None


def test_of_two_experts_of_one_name_the_first_stays(installed):
    registry = Registry([installed("acme"), installed("beta")])
    assert [(one.name, one.plugin) for one in registry.experts()] == [("tally", "acme")]
    assert "is there already, of plugin acme: give it another name" in (registry.plugins[1].problem or "")
