"""Which plugins there are, ours and strangers', found the same way: by entry point.

One broken plugin cannot stop the rest: whatever it raises becomes its `problem`, which `pulsehub plugins` shows. Two
things do stop the start, because going on would hide them: two plugins of one name, and half a configuration.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import httpx
import pluggy

from hub.sdk import hooks
from hub.sdk.contracts import Sink, Source
from hub.sdk.errors import ConfigError
from hub.sdk.experts import Expert
from hub.sdk.sandbox import Sandbox

GROUP: Final = "pulsehub.plugins"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(slots=True, eq=False)
class Plugin:
    """One installed plugin and what became of it."""

    name: str
    distribution: str
    version: str
    module: str
    problem: str | None = None
    loaded: Any = None


@dataclass(frozen=True, slots=True)
class Configured:
    """What the plugins offer under given settings, with the plugin each came from."""

    sources: list[Source] = field(default_factory=list)
    sinks: list[Sink] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    """Connection or destination -> `distribution version` of its plugin."""


@dataclass(frozen=True, slots=True)
class Offered:
    """An expert that a plugin registered.

    Attributes:
        kind: its class.
        plugin: by whom.
        version: `distribution version` of that plugin.
    """

    kind: type[Expert]
    plugin: str
    version: str

    @property
    def name(self) -> str:
        """Under which it is weighed and judged."""
        return self.kind.name


class Registry:
    """The plugins of this environment.

    Args:
        found: the entry points to load; those of the group `pulsehub.plugins` unless given.

    Raises:
        ConfigError: two plugins have one name.
    """

    def __init__(self, found: Iterable[EntryPoint] | None = None) -> None:
        points = sorted(found if found is not None else entry_points(group=GROUP), key=lambda p: p.name)
        _refuse_twins(points)
        self._manager = pluggy.PluginManager("pulsehub")
        self._manager.add_hookspecs(hooks)
        self.plugins = [self._load(point) for point in points]

    def configure(
        self,
        settings: Mapping[str, str],
        http: httpx.AsyncClient,
        connections: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Configured:
        """Ask every plugin for its sources and sinks.

        Args:
            settings: `PULSEHUB_*` names and their values, as plugins read them.
            http: the client that sinks push over.
            connections: further connections by name, each with its `plugin` and that plugin's settings.

        Raises:
            ConfigError: half a configuration, an unknown plugin, two connections of one name or one path.
        """
        ours = Configured()
        for plugin in self.plugins:
            self._collect(plugin, settings, http, ours)
        for name, keys in (connections or {}).items():
            plugin = self._named(keys.get("plugin", name), name)
            prefix = f"PULSEHUB_{plugin.name}_".upper()
            own = {prefix + k.upper(): v for k, v in keys.items() if k != "plugin"}
            self._collect(plugin, own | {prefix + "CONNECTION": name}, http, ours)
        _refuse_collisions(ours)
        return ours

    def measures(self) -> list[Mapping[str, Any]]:
        """Measures that plugins add to the installation's own."""
        return [one for plugin in self.plugins for one in self._ask(plugin, "register_measures")]

    def experts(self, taken: Collection[str] = ()) -> list[Offered]:
        """Experts that plugins add to the mixture; one that cannot be taken is its plugin's problem.

        Args:
            taken: names that are ours, or those of other numbers.
        """
        found: dict[str, Offered] = {}
        for plugin in self.plugins:
            for kind in self._ask(plugin, "register_experts"):
                other = found.get(getattr(kind, "name", ""))
                if problem := _unfit(kind, taken, other.plugin if other else None):
                    plugin.problem = f"register_experts: {problem}"
                    continue
                found[kind.name] = Offered(kind, plugin.name, f"{plugin.distribution} {plugin.version}")
        return list(found.values())

    def sandboxes(self) -> list[Sandbox]:
        """Stand-ins of the vendors, for the demo and tests."""
        return [one for plugin in self.plugins for one in self._ask(plugin, "register_sandboxes")]

    def _load(self, point: EntryPoint) -> Plugin:
        dist = point.dist
        plugin = Plugin(point.name, dist.name if dist else "?", dist.version if dist else "?", point.value)
        try:
            plugin.loaded = point.load()
            self._refuse_misspelt(plugin.loaded)
            self._manager.register(plugin.loaded, name=point.name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's import may raise anything, or end a script
            plugin.problem = _reason(error)
        return plugin

    def _refuse_misspelt(self, loaded: Any) -> None:
        known = [name for name in vars(hooks) if name.startswith("register_")]
        for name in dir(loaded):
            if name not in known and self._manager.parse_hookimpl_opts(loaded, name) is not None:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"hooks are {', '.join(known)}"
                raise ConfigError(f"{name} is marked as a hook, and there is none of that name: {hint}")

    def _collect(
        self,
        plugin: Plugin,
        settings: Mapping[str, str],
        http: httpx.AsyncClient,
        into: Configured,
    ) -> None:
        sources = self._ask(plugin, "register_sources", settings=settings)
        sinks = self._ask(plugin, "register_sinks", settings=settings, http=http)
        into.sources.extend(sources)
        into.sinks.extend(sinks)
        into.versions.update({one.name: f"{plugin.distribution} {plugin.version}" for one in [*sources, *sinks]})

    def _ask(self, plugin: Plugin, hook: str, **given: object) -> list[Any]:
        if plugin.problem or not self._manager.is_registered(plugin.loaded):
            return []
        others = [other.loaded for other in self.plugins if other is not plugin and other.loaded is not None]
        try:
            answers = self._manager.subset_hook_caller(hook, others)(**given)
            return [one for answer in answers for one in answer]
        except ConfigError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as at loading: its problem, not ours
            plugin.problem = f"{hook}: {_reason(error)}"
            return []

    def _named(self, name: str, connection: str) -> Plugin:
        for plugin in self.plugins:
            if plugin.name == name:
                return plugin
        known = ", ".join(plugin.name for plugin in self.plugins)
        raise ConfigError(f"[connections.{connection}] names the plugin {name!r}; installed are {known}")


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _unfit(kind: Any, taken: Collection[str], other: str | None) -> str | None:
    """What is wrong with an expert before it is asked anything."""
    name = getattr(kind, "name", None)
    if not isinstance(kind, type):
        return f"{kind!r} is no class: yield the class, and every version of the models gets an instance of its own"
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"{kind.__name__}.name is {name!r}: it must be small letters, digits and _, at most 40"
    if name in taken:
        return f"the expert {name} has a name that is ours: give it another"
    if other is not None:
        return f"the expert {name} is there already, of plugin {other}: give it another name"
    lacking = [method for method in ("learn", "say", "state") if not callable(getattr(kind, method, None))]
    return f"the expert {name} has no {' and no '.join(lacking)}" if lacking else None


def _refuse_twins(points: Sequence[EntryPoint]) -> None:
    for name, times in Counter(point.name for point in points).items():
        if times > 1:
            where = " and ".join(f"{p.dist.name if p.dist else '?'} ({p.value})" for p in points if p.name == name)
            raise ConfigError(f"two plugins are called {name!r}: {where}; uninstall one")


def _refuse_collisions(ours: Configured) -> None:
    for kind, names in (
        ("connections", [source.name for source in ours.sources]),
        ("destinations", [sink.name for sink in ours.sinks]),
        ("paths", [path for source in ours.sources for path in source.paths]),
    ):
        twice = [name for name, times in Counter(names).items() if times > 1]
        if twice:
            raise ConfigError(
                f"two {kind} are called {twice[0]!r}: give one another name with its CONNECTION setting"
                if kind != "paths"
                else f"two connections want the path {twice[0]!r}: only one of them can have it",
            )
