"""`plugins` and `version`: what is installed here."""

from __future__ import annotations

import platform
from importlib.metadata import version as version_of
from typing import Any

import httpx

from hub.cli import context
from hub.cli.output import Json, answer, plain, print_json, print_table
from hub.registry import Registry
from hub.sdk.errors import ConfigError
from scoring.experts.seating import OURS


def list_plugins(*, as_json: Json = False) -> None:
    """List the installed plugins, what each is configured for, and what is wrong with those that failed."""
    registry = Registry()
    problem = None
    connections: dict[str, list[str]] = {}
    try:
        settings, vendors = context.load()
        configured = registry.configure(vendors, httpx.AsyncClient(), settings.connections)
        for source in configured.sources:
            connections.setdefault(source.vendor, []).append(f"source {source.name}")
        for sink in configured.sinks:
            connections.setdefault(sink.vendor, []).append(f"sink {sink.name}")
        for expert in registry.experts(OURS):
            connections.setdefault(expert.plugin, []).append(f"expert {expert.name}")
    except ConfigError as error:
        problem = str(error)
    rows: list[dict[str, Any]] = [
        {
            "name": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "module": plugin.module,
            "provides": connections.get(plugin.name, []),
            "problem": plugin.problem,
        }
        for plugin in registry.plugins
    ]
    if as_json:
        print_json({"plugins": rows, "problem": problem})
        return
    print_table(
        ("plugin", "from", "configured for", "problem"),
        [
            (r["name"], f"{r['distribution']} {r['version']}", ", ".join(r["provides"]) or "–", r["problem"] or "")
            for r in rows
        ],
        "No plugins are installed.",
    )
    if problem:
        answer.print(f"\n[red]▼[/] these settings would stop the start: {plain(problem)}")


def version(*, as_json: Json = False) -> None:
    """Print the version."""
    ours = {
        "pulsehub": version_of("pulsehub"),
        "python": platform.python_version(),
        "faust-streaming": version_of("faust-streaming"),
        "river": version_of("river"),
    }
    if as_json:
        print_json(ours)
    else:
        answer.print(f"pulsehub {ours['pulsehub']} (Python {ours['python']}, Faust {ours['faust-streaming']})")
