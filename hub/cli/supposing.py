"""`ledger`: every change of a customer's health. `what-if`: what it would be."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.asking import asking, between, document, print_outcome, print_shares, said
from hub.cli.explaining import Since, Until
from hub.cli.look import Account, find
from hub.cli.output import Json, Styled, answer, band, plain, print_json, print_table, when
from hub.sdk.errors import ConfigError
from hub.store.questions.paging import CursorError
from hub.web import words
from scoring.explaining.asked import pairs
from scoring.explaining.entries import Change
from scoring.explaining.what_if import Question

_NAMED = 3  # shares and causes of a line


def ledger(
    account: Account,
    *,
    since: Since = None,
    until: Until = None,
    cursor: Annotated[str | None, typer.Option(help="`next` of the page before.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="The most changes to print.")] = 20,
    as_json: Json = False,
) -> None:
    """List every change of a customer's health: what moved it, and what had happened; sums are exact."""
    if until is not None and since is None:
        raise ConfigError("--until needs --since")
    with asking() as asked:
        begins, ends = (None, None) if since is None else between(since, until, asked.now)
        found = find(asked.connection, account)
        try:
            changes, after = asked.answers.ledger(
                asked.connection, found, limit=limit, since=begins, until=ends, cursor=cursor
            )
        except CursorError as error:
            raise ConfigError(f"--cursor: {error}") from None
    if as_json:
        print_json({"account": found, "entries": document(changes), "next": after})
        return
    print_table(
        ("when", "health", "change", "what moved it", "events"),
        [
            (
                when(one.at),
                Styled(f"{one.health:.1f} {band(one.band)}"),
                "first" if one.was is None else f"{one.health - one.was:+.2f}",
                "; ".join(f"{said(share)} {share.points:+.1f}" for share in one.shares[:_NAMED]),
                _happened(one),
            )
            for one in changes
        ],
        "No change of health in that time that the ledger still knows: it begins with the first score.",
    )
    if after is not None:
        answer.print(f"[dim]more: --cursor {plain(after)}[/]")


def what_if(
    account: Account,
    values: Annotated[
        list[str] | None, typer.Argument(help="Measures as they would read: open_tickets=0 nps=9 csat=unknown.")
    ] = None,
    *,
    event: Annotated[
        list[str] | None,
        typer.Option(help="What would happen: ticket.solved, 'ticket.opened?priority=urgent'; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a customer's health would be, by the scorer and the models in use. Nothing is written."""
    with asking() as asked:
        question = Question(pairs(values or (), "what-if"), event or ())
        found = asked.answers.what_if(asked.connection, find(asked.connection, account), question)
    if as_json:
        print_json(document(found))
        return
    answer.print(
        f"{plain(account)}: [bold]{found.health:.1f}[/] {band(found.band)}, risk {found.risk:.1%}, as of "
        f"{when(found.at)}\n"
    )
    print_outcome(found.outcome, found.health)
    if found.outcome.shares:
        print_shares(found.outcome.shares, ("health as it is", found.health), ("as it would be", found.outcome.health))
    answer.print(f"\n[dim]scorecard {found.config_version}, model {found.model_version or 'none yet'}[/]")


def _happened(change: Change) -> str:
    """What had happened, or how much time had passed."""
    if not change.causes:
        return "time passed" if change.passed is None else f"{words.span(change.passed)} passed"
    named = [f"{words.kind(one.kind)}{f': {one.text[:40]}' if one.text else ''}" if one.kind else one.id
             for one in change.causes[:_NAMED]]  # fmt: skip
    more = len(change.causes) - len(named)
    return "; ".join(named) + (f" and {more} more" if more else "")
