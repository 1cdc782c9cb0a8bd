"""`accounts` and `events`: how customers are, and what happened to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
import typer
from sqlalchemy import Connection

from hub.cli.context import reading
from hub.cli.output import Json, answer, band, iso, print_json, print_table, when
from hub.sdk.errors import ConfigError, HubError
from hub.sdk.health import Band
from hub.store.questions import account as of_account
from hub.store.questions import portfolio

_A_MOMENT: Final = timedelta(milliseconds=1)
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="The most rows to print.")]
Account = Annotated[str, typer.Argument(help="Our id, any vendor's reference (zendesk:organization:42), or the name.")]


def accounts(
    *,
    in_band: Annotated[str | None, typer.Option("--band", help=f"One of {', '.join(get_args(Band))}.")] = None,
    q: Annotated[str, typer.Option(help="Part of a name, domain or owner, or a whole reference.")] = "",
    sort: Annotated[str, typer.Option(help=f"One of {', '.join(portfolio.SORTS)}.")] = "health",
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List customers, those who need somebody first."""
    if in_band not in (None, *get_args(Band)):
        raise ConfigError(f"--band {in_band} is none of {', '.join(get_args(Band))}")
    if sort not in portfolio.SORTS:
        raise ConfigError(f"--sort {sort} is none of {', '.join(portfolio.SORTS)}")
    wanted = portfolio.Wanted(text=q, band=in_band, sort=sort)  # type: ignore[arg-type]  # checked above
    with reading() as connection:
        rows = portfolio.page(connection, wanted, limit=limit)
        total = portfolio.count(connection, wanted)
    if as_json:
        print_json({"accounts": [_row(row) for row in rows], "total": total})
        return
    grows = any(row.expansion is not None for row in rows)
    print_table(
        (
            *("account", "health", "band", "risk"),
            *(("pays more",) if grows else ()),
            *("first driver", "revenue", "renewal", "owner", "last event"),
        ),
        [
            (
                row.title,
                "–" if row.health is None else f"{row.health:.0f}",
                band(row.band),
                "–" if row.risk is None else f"{row.risk:.0%}",
                *(("–" if row.expansion is None else f"{row.expansion:.0%}",) if grows else ()),
                row.driver,
                "" if row.mrr is None else f"{row.mrr:,.0f} {row.currency or ''}",
                row.renewal_on,
                row.owner,
                when(row.last_event_at),
            )
            for row in rows
        ],
        "No customers. They appear with their first event: `pulsehub demo` shows some, `pulsehub import` brings yours.",
    )
    if total > len(rows):
        answer.print(f"[dim]{len(rows)} of {total:,}; --limit prints more[/]")


def events(
    account: Account,
    *,
    subject: Annotated[
        list[str] | None,
        typer.Option(help="Only kinds of this subject: ticket, invoice, usage; may be repeated."),
    ] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List what happened to a customer, newest first."""
    with reading() as connection:
        found = find(connection, account)
        happened, _ = of_account.happenings(connection, found, limit=limit, subjects=subject or ())
    if as_json:
        print_json({"account": found, "events": [msgspec.to_builtins(one.event) for one in happened]})
        return
    print_table(
        ("when", "kind", "through", "what"),
        [
            (
                when(one.event.occurred_at.timestamp()),
                one.event.kind,
                one.event.connection,
                one.event.text or _facts(one.event.amount, one.event.currency, one.event.value),
            )
            for one in happened
        ],
        "Nothing has happened to this customer that the archive still knows.",
    )


def find(connection: Connection, account: str) -> str:
    """Our id of an account by id, reference or name.

    Raises:
        HubError: there is none, or several have that name.
    """
    if found := of_account.resolve(connection, account):
        return found
    named = portfolio.page(connection, portfolio.Wanted(text=account), limit=5)
    exact = [row for row in named if row.title.casefold() == account.casefold()] or named
    if len(exact) == 1:
        return exact[0].id
    if exact:
        raise HubError(f"{account!r} may be {', '.join(f'{row.title} ({row.id})' for row in exact)}: give the id")
    raise HubError(f"no customer is known as {account!r}; `pulsehub accounts --q PART` looks for one")


def _row(row: portfolio.Row) -> dict[str, Any]:
    ours = {name: getattr(row, name) for name in row.__dataclass_fields__}
    ours["name"] = ours.pop("title")
    return ours | {"scored_at": iso(row.scored_at), "last_event_at": iso(row.last_event_at)}


def _facts(amount: object, currency: str | None, value: float | None) -> str:
    return f"{amount:,} {currency}" if amount is not None else "" if value is None else f"{value:g}"


def moment(connection: Connection, clock: Literal["wall", "event"], wall: datetime) -> datetime:
    """When what a person says now is said: by the clock of events after all there was, which it moves no further."""
    newest = portfolio.newest(connection) if clock == "event" else None
    return wall if newest is None else datetime.fromtimestamp(newest, UTC) + _A_MOMENT
