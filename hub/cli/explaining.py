"""`explain`: why a customer's health is what it is."""

from __future__ import annotations

from typing import Any

import msgspec

from hub.cli import context
from hub.cli.look import Account, find
from hub.cli.output import Json, Styled, answer, band, iso, plain, print_json, print_table, when
from hub.registry import Registry
from hub.sdk.errors import HubError
from scoring.explain import Explanation
from scoring.explain import explain as explain_account
from scoring.loading import load as load_config
from scoring.scorers import Scorers

_SHOWN = 12  # drivers


def explain(account: Account, *, as_json: Json = False) -> None:
    """Take a customer's health apart: the base, and what each measure adds or takes, summing exactly."""
    settings, _ = context.load()
    config = load_config(settings.scoring, Registry().measures())
    with context.opened(settings) as database, database.read() as connection:
        found = find(connection, account)
        why = explain_account(connection, found, config, Scorers(config))
    if why is None:
        raise HubError(f"{account} has no health yet: none of its events counts for a measure")
    if as_json:
        print_json(_document(found, why))
        return
    _say(account, why)


def _document(account: str, why: Explanation) -> dict[str, Any]:
    """The same, with names for everything and moments as ISO 8601."""
    document: dict[str, Any] = msgspec.to_builtins(why)
    return document | {
        "account": account,
        "as_of": iso(why.as_of),
        "override": why.override
        and why.override._asdict() | {n: iso(getattr(why.override, n)) for n in ("at", "until")},
        "drivers": [{name: getattr(driver, name) for name in driver.__struct_fields__} for driver in why.drivers],
        "measures": [msgspec.to_builtins(one) | {"as_of": iso(one.as_of)} for one in why.measures],
    }


def _say(account: str, why: Explanation) -> None:
    answer.print(
        f"{plain(account)}: [bold]{why.health:.1f}[/] {band(why.band)}, risk {why.risk:.1%}, as of {when(why.as_of)}\n"
    )
    strongest = sorted(why.drivers, key=lambda driver: -abs(driver.points))
    rows = [("", "a customer of whom nothing is known", f"{why.base:+.2f}")]
    rows += [(driver.dimension, driver.text, f"{driver.points:+.2f}") for driver in strongest[:_SHOWN]]
    if rest := strongest[_SHOWN:]:
        rows.append(("", f"{len(rest)} smaller drivers", f"{sum(driver.points for driver in rest):+.2f}"))
    rows.append(("", Styled("[bold]health[/]"), Styled(f"[bold]{why.health:+.2f}[/]")))
    print_table(("dimension", "driver", "points"), rows, "")
    if why.override is not None and why.override.health is not None:
        by, reason = plain(why.override.author), plain(why.override.reason)
        until = when(why.override.until)
        answer.print(f"\nset by hand to {why.override.health:g} until {until} by {by}: {reason}")
        answer.print(f"computed, it is {why.computed:.1f}")
    answer.print(f"\n[dim]scorecard {why.config_version}, model {why.model_version or 'none yet'}[/]")
