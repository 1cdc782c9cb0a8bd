"""Plugins: found by entry point, broken ones named, none able to stop the rest."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, PathDistribution

import httpx
import pytest

import hub
from hub.registry import GROUP, Registry

NONE = httpx.AsyncClient()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs a plugin from a folder outside the repository, as pip would lay it out."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, code: str, dist: str | None = None) -> EntryPoint:
        module = f"stranger_{dist or name}_{name}"
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{dist or name}-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist or name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {module}\n")
        sys.modules.pop(module, None)
        (point,) = PathDistribution(info).entry_points
        return point

    return install


GOOD = """
import hub

class Acme:
    name = vendor = "acme"
    paths = ()
    keeps_raw = False
    remembers = None
    def verify(self, hook, now): pass
    def decode(self, hook, now): return [hub.Raw(body=hook.body, received_at=now)]
    def normalize(self, raw): return []

@hub.hookimpl
def register_sources(settings):
    return [Acme()] if "PULSEHUB_ACME_KEY" in settings else []
"""


def test_a_strangers_plugin_is_found_and_used_like_ours(installed):
    registry = Registry([installed("acme", GOOD)])
    (source,) = registry.configure({"PULSEHUB_ACME_KEY": "k"}, NONE).sources
    assert isinstance(source, hub.Source)
    assert registry.plugins[0].problem is None


def test_a_vendor_with_no_settings_registers_nothing(installed):
    assert Registry([installed("acme", GOOD)]).configure({}, NONE).sources == []


def test_a_plugin_that_cannot_be_imported_is_named_and_the_rest_run(installed):
    registry = Registry([installed("broken", "import nothing_of_this_name"), installed("acme", GOOD)])
    assert len(registry.configure({"PULSEHUB_ACME_KEY": "k"}, NONE).sources) == 1
    broken = next(p for p in registry.plugins if p.name == "broken")
    assert "ModuleNotFoundError" in (broken.problem or "")


def test_a_hook_that_raises_is_its_plugins_problem_alone(installed):
    raising = "import hub\n@hub.hookimpl\ndef register_sources(settings):\n    return 1 / 0\n"
    registry = Registry([installed("raising", raising), installed("acme", GOOD)])
    assert len(registry.configure({"PULSEHUB_ACME_KEY": "k"}, NONE).sources) == 1
    problem = next(p for p in registry.plugins if p.name == "raising").problem
    assert problem == "register_sources: ZeroDivisionError: division by zero"


def test_a_plugin_that_calls_exit_does_not_end_us(installed):
    leaving = "import hub\n@hub.hookimpl\ndef register_sources(settings):\n    raise SystemExit(3)\n"
    points = [installed("script", "import sys\nsys.exit(2)"), installed("leaving", leaving), installed("acme", GOOD)]
    registry = Registry(points)
    assert len(registry.configure({"PULSEHUB_ACME_KEY": "k"}, NONE).sources) == 1
    problems = {plugin.name: plugin.problem for plugin in registry.plugins}
    assert problems == {"acme": None, "leaving": "register_sources: SystemExit: 3", "script": "SystemExit: 2"}


def test_a_misspelt_hook_is_named_with_the_right_one(installed):
    misspelt = "import hub\n@hub.hookimpl\ndef register_source(settings):\n    return []\n"
    (plugin,) = Registry([installed("misspelt", misspelt)]).plugins
    assert "register_source is marked as a hook" in (plugin.problem or "")
    assert "did you mean register_sources?" in (plugin.problem or "")


def test_two_plugins_of_one_name_fail_the_start(installed):
    with pytest.raises(hub.ConfigError, match=r"two plugins are called 'acme'.*one_dist.*other_dist"):
        Registry([installed("acme", GOOD, "one_dist"), installed("acme", GOOD, "other_dist")])


def test_half_a_configuration_fails_the_start_and_names_the_key(installed):
    half = (
        "import hub\n"
        "class S(hub.VendorSettings):\n"
        "    prefix = 'PULSEHUB_HALF_'\n"
        "    connection: str = 'half'\n"
        "    url: str\n    key: str\n"
        "@hub.hookimpl\ndef register_sources(settings):\n    S.read(settings)\n    return []\n"
    )
    registry = Registry([installed("half", half)])
    with pytest.raises(hub.ConfigError, match="PULSEHUB_HALF_KEY is not set"):
        registry.configure({"PULSEHUB_HALF_URL": "u"}, NONE)


def test_two_connections_of_one_name_fail_the_start(installed):
    registry = Registry([installed("acme", GOOD), installed("acme2", GOOD)])
    with pytest.raises(hub.ConfigError, match="two connections are called 'acme'"):
        registry.configure({"PULSEHUB_ACME_KEY": "k"}, NONE)


def test_an_async_hook_is_refused_with_its_name(installed):
    wrong = "import hub\n@hub.hookimpl\nasync def register_measures():\n    return []\n"
    registry = Registry([installed("wrong", wrong)])
    with pytest.warns(RuntimeWarning, match="never awaited"):
        assert registry.measures() == []
    assert "register_measures" in (registry.plugins[0].problem or "")


def test_our_own_plugins_come_in_by_the_same_entry_points():
    names = {plugin.name for plugin in Registry().plugins}
    assert {"salesforce", "zendesk", "stripe", "segment", "sinks"} <= names
