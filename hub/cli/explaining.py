"""`explain`: why a customer's health is what it is, why it moved, and what would bring it to green."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from hub.cli.asking import Asking, asking, between, document, print_outcome, print_shares, said
from hub.cli.look import find
from hub.cli.output import Json, Styled, answer, band, iso, plain, print_json, print_table, when
from hub.sdk.errors import ConfigError, HubError
from scoring.explaining.asked import goal_of, pairs, where
from scoring.explaining.explain import Explanation
from scoring.explaining.explain import explain as explain_account
from scoring.explaining.moved import Book, Moved, Mover
from scoring.growth import Outlook

_SHOWN = 12  # drivers

Who = Annotated[
    str | None, typer.Argument(help="Our id, any vendor's reference (zendesk:organization:42), or the name.")
]
Since = Annotated[str | None, typer.Option(help="Why it moved since then: monday, yesterday, 7d, 2026-03-01 (UTC).")]
Until = Annotated[str | None, typer.Option(help="... and until then; else until now.")]
Limit = Annotated[int, typer.Option(min=1, max=500, help="The most customers to name.")]


def explain(
    account: Who = None,
    *,
    since: Since = None,
    until: Until = None,
    segment: Annotated[
        list[str] | None,
        typer.Option("--where", help="Of all customers whose profile says so: plan=enterprise; may be repeated."),
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Of the whole book.")] = False,
    to: Annotated[
        str | None,
        typer.Option(help="What would bring it there: thriving, steady, watch, or a health from 0 to 100."),
    ] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Take a health apart: what it is made of, what moved it, what would bring it to green; sums are exact."""
    many = everybody or bool(segment)
    _fit(account, since, until, to, many=many, both=everybody and bool(segment))
    with asking() as asked:
        if many:
            _many(asked, segment or (), (since or "1d", until), limit, as_json=as_json)
        elif since is not None:
            _moved(asked, str(account), (since, until), as_json=as_json)
        elif to is not None:
            _reach(asked, str(account), to, as_json=as_json)
        else:
            _explain(asked, str(account), as_json=as_json)


def _fit(account: str | None, since: str | None, until: str | None, to: str | None, *, many: bool, both: bool) -> None:
    """Refuse what contradicts itself.

    Raises:
        ConfigError: it does.
    """
    if both:
        raise ConfigError("--all is everybody, --where is some: give one of them")
    if many == (account is not None):
        raise ConfigError("explain whom? Give one customer, --where name=value, or --all")
    if to is not None and (many or since is not None):
        raise ConfigError("--to is asked of one customer as it is now, without --since")
    if until is not None and since is None:
        raise ConfigError("--until needs --since")


def _explain(asked: Asking, account: str, *, as_json: bool) -> None:
    found = find(asked.connection, account)
    why = explain_account(asked.connection, found, asked.answers.config, asked.scorers)
    if why is None:
        raise HubError(f"{account} has no health yet: none of its events counts for a measure")
    if as_json:
        print_json(_document(found, why))
        return
    _say(account, why)


def _moved(asked: Asking, account: str, ends: tuple[str, str | None], *, as_json: bool) -> None:
    begins, end = between(*ends, asked.now)
    found = find(asked.connection, account)
    moved = asked.answers.moved(asked.connection, found, since=begins, until=end, now=asked.now)
    if as_json:
        print_json(document(moved))
        return
    _say_moved(account, moved)


def _say_moved(account: str, moved: Moved) -> None:
    if moved.was is None or moved.health is None:
        answer.print(
            f"{plain(account)} had no health between {when(moved.since)} and {when(moved.until)} that the ledger still "
            "knows: it begins with the first score, and is kept for the days of setting `ledger_days`."
        )
        return
    change = moved.health - moved.was
    answer.print(
        f"{plain(account)}: [bold]{moved.was:.1f}[/] {band(moved.was_band)} → [bold]{moved.health:.1f}[/] "
        f"{band(moved.band)}, {change:+.1f} between {when(moved.began or moved.since)} and {when(moved.until)}"
    )
    if moved.began is not None:
        answer.print("[dim]it was scored for the first time within that time[/]")
    answer.print()
    if not moved.shares:
        answer.print("Nothing moved it.")
        return
    print_shares(moved.shares, ("health before", moved.was), ("health after", moved.health))
    answer.print(f"\n[dim]{moved.changes} changes; `pulsehub ledger` tells each of them[/]")


def _many(asked: Asking, segment: Any, ends: tuple[str, str | None], limit: int, *, as_json: bool) -> None:
    begins, end = between(*ends, asked.now)
    ids = where(asked.connection, pairs(segment, "--where")) if segment else None
    if ids is not None and not ids:
        raise HubError(f"no customer is {' and '.join(segment)}")
    book = asked.answers.book(asked.connection, since=begins, until=end, ids=ids, most=limit)
    if as_json:
        print_json(document(book))
        return
    _say_book(book)


def _say_book(book: Book) -> None:
    if book.was is None or book.health is None:
        answer.print(
            f"Nobody was a customer at {when(book.since)} that the ledger still knows: it begins with the first score, "
            "and is kept for the days of setting `ledger_days`."
        )
    else:
        answer.print(
            f"{book.accounts:,} customers, {book.was:.2f} → [bold]{book.health:.2f}[/] on average, "
            f"{book.health - book.was:+.2f} between {when(book.since)} and {when(book.until)}; "
            f"{book.fell:,} fell, {book.rose:,} rose\n"
        )
        rows: list[Any] = [
            (part.dimension, part.text, f"{part.fell:,}", f"{part.rose:,}", f"{part.points:+.3f}")
            for part in book.parts[:_SHOWN]
        ]
        if rest := book.parts[_SHOWN:]:
            rows.append(("", f"{len(rest)} smaller ones", "", "", f"{sum(part.points for part in rest):+.3f}"))
        rows.append(("", Styled("[bold]all together[/]"), "", "", Styled(f"[bold]{book.health - book.was:+.3f}[/]")))
        print_table(("dimension", "what moved them", "fell", "rose", "points on average"), rows, "")
    _say_movers("moved furthest", book.movers)
    for title, some in (("in another band", book.bands), ("came", book.came), ("left", book.left)):
        _say_movers(f"{title}: {some.number:,}", some.first)


def _say_movers(title: str, movers: list[Mover]) -> None:
    if not movers:
        return
    answer.print(f"\n[bold]{title}[/]")
    print_table(
        ("customer", "before", "after", "change", "first because"),
        [
            (
                one.name,
                "–" if one.was is None else f"{one.was:.0f}",
                Styled(f"{one.health:.0f} {band(one.band)}"),
                "" if one.was is None else f"{one.health - one.was:+.1f}",
                said(one.shares[0]) if one.shares else "",
            )
            for one in movers
        ],
        "",
    )


def _reach(asked: Asking, account: str, to: str, *, as_json: bool) -> None:
    found = asked.answers.reach(asked.connection, find(asked.connection, account), goal_of(to))
    if as_json:
        print_json(document(found))
        return
    goal = band(found.goal) if isinstance(found.goal, str) else f"{found.goal:g}"
    answer.print(f"{plain(account)}: [bold]{found.health:.1f}[/] {band(found.band)}; to {goal}:\n")
    if found.there:
        answer.print("It is there already.")
    for number, way in enumerate(found.ways):
        if number:
            answer.print("or")
        print_outcome(way, found.health)
    if found.note:
        answer.print(f"It cannot be brought there: {found.note}.")
    if found.nearest is not None:
        answer.print("\nThe nearest:")
        print_outcome(found.nearest, found.health)


def _document(account: str, why: Explanation) -> dict[str, Any]:
    """The same, with names for everything and moments as ISO 8601."""
    document: dict[str, Any] = msgspec.to_builtins(why)
    if why.outlook is not None:
        reasons = [{name: getattr(one, name) for name in one.__struct_fields__} for one in why.outlook.drivers]
        document["outlook"] |= {"drivers": reasons}
    return document | {
        "account": account,
        "as_of": iso(why.as_of),
        "drivers": [{name: getattr(driver, name) for name in driver.__struct_fields__} for driver in why.drivers],
        "measures": [msgspec.to_builtins(one) | {"as_of": iso(one.as_of)} for one in why.measures],
        "override": why.override
        and why.override._asdict() | {n: iso(getattr(why.override, n)) for n in ("at", "until")},
        "rollup": why.rollup and why.rollup._asdict(),
        "left": why.left and why.left._asdict() | {"at": iso(why.left.at)},
        "sources": [one._asdict() | {"as_of": iso(one.as_of), "heard_at": iso(one.heard_at)} for one in why.sources],
    }


def _say_outlook(outlook: Outlook) -> None:
    what = f"\n{outlook.words} within {outlook.days:g} days"
    if outlook.chance is None or outlook.usual is None:
        why = f"insufficient labels, {outlook.missing} more" if outlook.missing else "nothing that could grow"
        answer.print(f"{what}: [yellow]{why}[/]")
        return
    reasons = "; ".join(f"{plain(one.text)} {one.points:+.1f}" for one in outlook.drivers)
    answer.print(f"{what}: [bold]{outlook.chance:.1%}[/], an average customer {outlook.usual:.1%}")
    if reasons:
        answer.print(f"[dim]in hundredths:[/] {reasons}")


def _say(account: str, why: Explanation) -> None:
    answer.print(
        f"{plain(account)}: [bold]{why.health:.1f}[/] {band(why.band)}, risk {why.risk:.1%}, as of {when(why.as_of)}\n"
    )
    if why.left is not None:
        answer.print(f"a customer no more: {plain(why.left.how)}, {when(why.left.at)}\n")
    strongest = sorted(why.drivers, key=lambda driver: -abs(driver.points))
    rows = [("", "a customer of whom nothing is known", f"{why.base:+.2f}")]
    rows += [(driver.dimension, driver.text, f"{driver.points:+.2f}") for driver in strongest[:_SHOWN]]
    if rest := strongest[_SHOWN:]:
        rows.append(("", f"{len(rest)} smaller drivers", f"{sum(driver.points for driver in rest):+.2f}"))
    rows.append(("", Styled("[bold]health[/]"), Styled(f"[bold]{why.health:+.2f}[/]")))
    print_table(("dimension", "driver", "points"), rows, "")
    heard = [
        f"{plain(one.name)} {when(one.as_of)}{' [red]silent: alerts wait[/]' if one.silent else ''}"
        for one in why.sources
    ]
    answer.print(
        f"\n{why.confidence:.0%} of the scorecard rests on what is known; heard of: {', '.join(heard) or 'nobody'}"
    )
    if why.outlook is not None:
        _say_outlook(why.outlook)
    if why.override is not None and why.override.health is not None:
        by, reason, until = plain(why.override.author), plain(why.override.reason), when(why.override.until)
        answer.print(f"\nset by hand to {why.override.health:g} until {until} by {by}: {reason}")
        answer.print(f"computed, it is {why.computed:.1f}")
    if why.rollup is not None:
        by = "by what they pay" if why.rollup.by == "value" else "on average"
        answer.print(f"\nwith its parts, {why.rollup.accounts} accounts {by}: {why.rollup.health:.1f}")
    card = f"{why.card} of {why.config_version}" if why.card else why.config_version
    answer.print(f"\n[dim]scorecard {card}, model {why.model_version or 'none yet'}[/]")
