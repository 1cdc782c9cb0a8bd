"""`value`: what customers will bring, and how much of it is at risk."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer
from sqlalchemy import Connection

from hub.cli import context
from hub.cli.look import find
from hub.cli.output import Json, answer, aside, iso, plain, print_json, print_table, when
from hub.cli.progress import bar
from hub.registry import Registry
from hub.sdk.errors import HubError
from hub.settings import Settings
from hub.store.database import Database
from hub.store.questions import portfolio
from scoring.loading import load as load_config
from scoring.value.kept import Made, first, newest, value_all, worths
from scoring.value.settings import load as load_valuing
from scoring.value.told import Group, Told, groups, part, proven, told

_DAY = 86_400.0

Who = Annotated[
    str | None, typer.Argument(help="Our id, any vendor's reference (zendesk:organization:42), or the name.")
]


def value(
    account: Who = None,
    *,
    top: Annotated[int, typer.Option(min=1, max=10_000, help="The most customers of each currency to name.")] = 20,
    most: Annotated[bool, typer.Option("--most", help="Those of most value first, not of most value at risk.")] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Value everybody now, however lately it was done.")] = False,
    as_json: Json = False,
) -> None:
    """What customers will bring within a year, with bounds: of one, or of all, those of most value at risk first.

    A running hub values everybody once a day; this does it where the last time was more than a day ago.
    """
    settings, _ = context.load()
    with context.opened(settings) as database:
        made = _fresh(settings, database, anew=anew)
        with database.read() as connection:
            if account is not None:
                found = find(connection, account)
                risk = portfolio.by_ids(connection, [found])[found].risk
                _one(account, told(connection, found, risk), as_json=as_json)
            else:
                _all(connection, made, top, by_stake=not most, as_json=as_json)


def _fresh(settings: Settings, database: Database, *, anew: bool) -> Made:
    """The newest valuation, made now if it is not of today."""
    with database.read() as connection:
        made = newest(connection)
        last = portfolio.newest(connection)
    wall = time.time()
    now = wall if settings.clock == "wall" or last is None else last
    if made is None or anew or now - made.valuation.at > _DAY:
        config = load_config(settings.scoring, Registry().measures())
        _showing(value_all(database, config, load_valuing(settings.scoring), now=now, wall=wall))
        with database.read() as connection:
            made = newest(connection)
    if made is None:
        raise HubError("a newer program values customers here; use that")
    return made


def _showing(portions: Iterator[int]) -> None:
    """Go through them; where somebody looks, with how many customers are done."""
    if not aside.is_terminal:
        deque(portions, maxlen=0)
        return
    with bar() as shown:
        task = shown.add_task("valuing", total=None, note="")
        for done in portions:
            shown.update(task, note=f"{done:,} customers")


def _one(name: str, found: Told, *, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(found) | {"at": iso(found.at)})
        return
    for one in found.parts:
        if one.value is None:
            continue
        at_risk = "" if one.value_at_risk is None else f"; {one.value_at_risk:,.0f} of it at risk"
        answer.print(
            f"{plain(name)}: [bold]{one.value:,.0f} {plain(one.currency)}[/] within {found.days:.0f} days "
            f"({found.interval:.0%}: {one.low:,.0f} to {one.high:,.0f}), {one.discounted:,.0f} in today's money"
            f"{at_risk}"
        )
        answer.print(f"  [dim]{plain(one.made_of)}[/]")
    if found.note:
        answer.print(f"{plain(name)}: {plain(found.note)}")
    answer.print(f"[dim]valued {when(found.at)}[/]")


def _all(connection: Connection, made: Made, top: int, *, by_stake: bool, as_json: bool) -> None:
    found = groups(connection, made.valuation)
    rows = {one.currency: _rows(connection, made, one, top, by_stake=by_stake) for one in found}
    if as_json:
        kept = made.valuation
        print_json(
            {
                "version": kept.version,
                "at": iso(kept.at),
                "days": kept.days,
                "discount": kept.discount,
                "interval": kept.interval,
                "unreadable": kept.unreadable,
                "contracts": msgspec.to_builtins(kept.contracts),
                "currencies": [msgspec.to_builtins(one) | {"accounts": rows[one.currency]} for one in found],
            }
        )
        return
    if not found:
        answer.print("Nobody bought anything that the archive knows, and nobody has a subscription: see docs/value.md.")
    for one in found:
        _say(made, one, rows[one.currency])
    if made.valuation.unreadable:
        aside.print(f"{made.valuation.unreadable:,} purchases had no amount and currency that make sense: left out")


def _rows(connection: Connection, made: Made, one: Group, top: int, *, by_stake: bool) -> list[dict[str, Any]]:
    ids = first(connection, one.currency, limit=top, by_stake=by_stake)
    known, kept = portfolio.by_ids(connection, ids), worths(connection, ids)
    rows = []
    for key in ids:
        if key in known:
            mine = next(worth for worth in kept[key] if worth.currency == one.currency)
            said = msgspec.to_builtins(part(mine, known[key].risk, made.valuation))
            rows.append({"id": key, "name": known[key].title, "risk": known[key].risk} | said)
    return rows


def _say(made: Made, one: Group, rows: list[dict[str, Any]]) -> None:
    kept = made.valuation
    answer.print(
        f"\n[bold]{plain(one.currency)}[/]: {one.customers:,} customers will bring {one.value:,.0f} within "
        f"{kept.days:.0f} days, {one.value_at_risk:,.0f} of it at risk"
    )
    if one.note:
        answer.print(f"not enough history: {plain(one.note)}")
    if rows:
        print_table(
            ("customer", "value", f"{kept.interval:.0%} between", "at risk", "risk", "made of"),
            [
                (
                    row["name"],
                    f"{row['value']:,.0f}",
                    f"{row['low']:,.0f} and {row['high']:,.0f}",
                    "–" if row["value_at_risk"] is None else f"{row['value_at_risk']:,.0f}",
                    "–" if row["risk"] is None else f"{row['risk']:.0%}",
                    row["made_of"],
                )
                for row in rows
            ],
            "",
        )
    if one.learned is not None and one.learned.pace:
        for line in proven(one.learned, one.currency):
            answer.print(f"[dim]{plain(line)}[/]")
