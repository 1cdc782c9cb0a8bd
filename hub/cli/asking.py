"""What questions about health have in common: whose, when, and how answers are said."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from hub.cli import context
from hub.cli.output import Styled, answer, band, iso, plain, print_table
from hub.registry import Registry
from hub.sdk.errors import ConfigError
from hub.sealing import Seal
from hub.store.questions import portfolio
from scoring.experts.seating import seated
from scoring.explaining.answers import Answers, Outcome
from scoring.explaining.periods import period
from scoring.explaining.why import BECAUSE, Share
from scoring.loading import load as load_config
from scoring.scorers import Scorers

_TIMES: Final = ("at", "since", "until", "began")
_SHOWN: Final = 12  # shares


class Asking(NamedTuple):
    """What a command asks with: the database, who answers, what time it is for customers, and who scores."""

    connection: Connection
    answers: Answers
    now: float
    scorers: Scorers


@contextmanager
def asking() -> Iterator[Asking]:
    """A look into the installation, beside a running hub or without one.

    Raises:
        HubError: there is no installation yet.
    """
    settings, _ = context.load()
    registry = Registry()
    config = load_config(settings.scoring, registry.measures())
    scorers = Scorers(config, seated(registry, Seal.of(settings)))
    with context.opened(settings) as database, database.read() as connection:
        newest = portfolio.newest(connection) if settings.clock == "event" else None
        yield Asking(connection, Answers(config, scorers), newest or time.time(), scorers)


def between(since: str, until: str | None, now: float) -> tuple[float, float]:
    """Both ends of a period.

    Raises:
        ConfigError: one is no moment, or it ends before it begins.
    """
    try:
        return period(since, until or "now", now)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def document(found: Any) -> Any:
    """An answer as JSON knows it, with moments as ISO 8601."""
    return _dated(msgspec.to_builtins(found))


def _dated(found: Any) -> Any:
    if isinstance(found, dict):
        return {
            name: iso(value) if name in _TIMES and isinstance(value, float) else _dated(value)
            for name, value in found.items()
        }
    return [_dated(one) for one in found] if isinstance(found, list) else found


def said(share: Share) -> str:
    """A share in words: what it is, and what it was."""
    return f"{share.text} (was {share.was})" if share.was else share.text


def print_shares(shares: Sequence[Share], first: tuple[str, float], last: tuple[str, float]) -> None:
    """What moved a health from one number to another, summing to it."""
    rows: list[Sequence[object]] = [("", first[0], "", f"{first[1]:+.2f}")]
    rows += [(share.dimension, said(share), BECAUSE[share.by], f"{share.points:+.2f}") for share in shares[:_SHOWN]]
    if rest := shares[_SHOWN:]:
        rows.append(("", f"{len(rest)} smaller ones", "", f"{sum(share.points for share in rest):+.2f}"))
    rows.append(("", Styled(f"[bold]{last[0]}[/]"), "", Styled(f"[bold]{last[1]:+.2f}[/]")))
    print_table(("dimension", "what moved it", "because", "points"), rows, "")


def print_outcome(outcome: Outcome, health: float) -> None:
    """What would be done, and what it would come to."""
    for step in outcome.steps:
        answer.print(f"  {plain(step.now)} → [bold]{plain(step.then)}[/]")
    for step in outcome.follows:
        answer.print(f"  [dim]so that {plain(step.now)} → {plain(step.then)}[/]")
    change = f"{outcome.health - health:+.1f}, risk {outcome.risk:.1%}"
    answer.print(f"  = [bold]{outcome.health:.1f}[/] {band(outcome.band)}, {change}\n")
