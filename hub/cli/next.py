"""`next`: what to do next about a customer, what was done, and whether it is any good."""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
import typer

from hub.cli import context
from hub.cli.look import find
from hub.cli.output import Json, answer, iso, plain, print_json, print_table
from hub.registry import Registry
from hub.sdk.errors import ConfigError
from hub.sealing import Seal
from hub.settings import Settings
from hub.store.database import Database
from hub.store.questions import portfolio
from hub.success.next import record
from hub.success.next.declared import load as load_actions
from hub.success.next.evaluating import Estimate, Judged, judge
from hub.success.next.proposing import HeldError, Next
from hub.success.next.record import Proposal
from scoring.experts.seating import seated
from scoring.loading import load as load_config
from scoring.scorers import Scorers

Who = Annotated[
    str | None, typer.Argument(help="Our id, any vendor's reference (zendesk:organization:42), or the name.")
]


def next_action(
    account: Who = None,
    *,
    took: Annotated[str | None, typer.Option(help="What was done: the name of an action, or none.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Propose for everybody who needs it, worst first.")] = False,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="What came of proposals, and what would have of others.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The most customers of --all.")] = 50,
    as_json: Json = False,
) -> None:
    """Propose what to do next about a customer, and write it down with its chance and its reason.

    A proposal stands for a week (setting `again` of actions.yaml); asked again, it is the same.
    """
    if (account is not None) + everybody + evaluate != 1 or (took is not None and account is None):
        raise ConfigError("about whom? Give one customer (perhaps with --took), --all, or --evaluate")
    settings, _ = context.load()
    registry = Registry()
    config = load_config(settings.scoring, registry.measures())
    ours = Next(load_actions(settings.scoring, config), config, Scorers(config, seated(registry, Seal.of(settings))))
    with context.opened(settings) as database:
        now, wall = _clock(settings, database)
        if evaluate:
            database.write(lambda connection: record.settle(connection, now)).result()
            with database.read() as connection:
                _judged(judge(record.every(connection), ours.actions), as_json=as_json)
            return
        if everybody:
            _all(ours, database, limit, now, wall, as_json=as_json)
            return
        with database.read() as connection:
            found = find(connection, str(account))
        made = (
            ours.propose(database, found, now=now, wall=wall)
            if took is None
            else ours.took(database, found, took, now=now)
        )
    if as_json:
        print_json(document(made))
    else:
        _say(str(account), made)


def _clock(settings: Settings, database: Database) -> tuple[float, float]:
    """Customers' time, and the time by which sources are silent: where events set the clock, none is."""
    with database.read() as connection:
        newest = portfolio.newest(connection) if settings.clock == "event" else None
    return (newest or time.time(), newest or time.time())


def _all(ours: Next, database: Database, limit: int, now: float, wall: float, *, as_json: bool) -> None:
    with database.read() as connection:
        rows = portfolio.page(connection, portfolio.Wanted(sort="health"), limit=limit)
    made: list[tuple[str, Proposal]] = []
    held: dict[str, int] = {}
    for row in rows:
        try:
            made.append((row.title, ours.propose(database, row.id, now=now, wall=wall)))
        except HeldError as error:
            held[str(error)] = held.get(str(error), 0) + 1
    if as_json:
        print_json({"proposals": [document(one) | {"name": name} for name, one in made], "held": held})
        return
    print_table(
        ("customer", "health", "next", "chance", "why"),
        [(name, f"{one.health:.0f}", one.label, f"{one.propensity:.0%}", one.reason) for name, one in made],
        "Nothing is proposed.",
    )
    for why, number in held.items():
        answer.print(f"[dim]{number:,} without a proposal: {plain(why)}[/]")


def document(one: Proposal) -> dict[str, Any]:
    """A proposal as JSON, with moments as ISO 8601."""
    found: dict[str, Any] = msgspec.to_builtins(one)
    return found | {name: iso(getattr(one, name)) for name in ("at", "due", "taken_at")}


def _say(name: str, one: Proposal) -> None:
    answer.print(f"{plain(name)}: [bold]{plain(one.label)}[/] — {plain(one.reason)}")
    if one.taken is not None:
        answer.print(f"[dim]done: {plain(one.taken)}; what comes of it is known {iso(one.due)}[/]")
    else:
        answer.print(f"[dim]tell what was done: pulsehub next ... --took {plain(one.action)}[/]")


def _judged(found: Judged, *, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    answer.print(
        f"{found.outcomes:,} proposals whose outcome is known, {found.waiting:,} that wait for theirs"
        + ("" if found.followed is None else f"; {found.followed:.0%} were followed")
    )
    if found.better is None:
        answer.print(f"Not enough outcomes yet to say anything: it takes {found.needed:,} more.")
        return
    rows = [("as proposed", _shown(found.better), "", "", "")]
    for name, words in (("order", "your order"), ("learned", "as learned by then")):
        way = found.ways[name]
        rows.append((words, _shown(way.ips), _shown(way.snips), _shown(way.dr), f"{way.agreed or 0.0:.0%}"))
    print_table(("way to choose", "better (IPS)", "SNIPS", "doubly robust", "same as proposed"), rows, "")
    for name, number in found.actions.items():
        answer.print(f"[dim]{plain(name)}: {number:,} outcomes taught it[/]")


def _shown(one: Estimate | None) -> str:
    return "–" if one is None else f"{one.value:.0%} ({one.low:.0%} to {one.high:.0%})"
