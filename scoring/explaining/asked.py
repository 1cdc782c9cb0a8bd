"""What people ask for, in their words: customers of one kind, `name=value`, a goal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from hub import Band
from hub.store.questions import changes
from scoring.explaining.reach import GOALS
from scoring.explaining.what_if import AskedWrongError

_LISTED: Final = 12


def where(connection: Connection, wanted: Mapping[str, str]) -> list[str]:
    """Accounts whose profile says all of this, in any case of letters: facts, `owner`, `currency`, `band`, ...

    Raises:
        AskedWrongError: no account has such a property.
    """
    found: list[str] = []
    known: set[str] = set()
    for account, facts, columns in changes.facts(connection):
        told = _facts(facts) | {name: value for name, value in columns.items() if value is not None}
        known |= told.keys()
        if all(name in told and str(told[name]).casefold() == value.casefold() for name, value in wanted.items()):
            found.append(account)
    if lacking := [name for name in wanted if name not in known]:
        listed = ", ".join(sorted(known)[:_LISTED]) or "none at all"
        raise AskedWrongError(f"no customer's profile has {lacking[0][:60]!r}; profiles have {listed}")
    return found


def pairs(said: Iterable[str], what: str) -> dict[str, str]:
    """`name=value` of each.

    Raises:
        AskedWrongError: one is not so.
    """
    found = {}
    for one in said:
        name, equals, value = one.partition("=")
        if not equals or not name.strip():
            raise AskedWrongError(f"{what} {one[:60]!r}: write name=value")
        found[name.strip()] = value.strip()
    return found


def goal_of(said: str) -> Band | float:
    """A band or a health, as people write it; `green` is thriving.

    Raises:
        AskedWrongError: it is neither.
    """
    word = said.strip().lower().replace(" ", "_")
    named: dict[str, Band] = {"green": "thriving", **{band: band for band in GOALS}}
    if word in named:
        return named[word]
    try:
        return float(word)
    except ValueError:
        raise AskedWrongError(
            f"{said[:40]!r} is no goal; choose {', '.join(GOALS)} or a health from 0 to 100"
        ) from None


def _facts(text: str) -> dict[str, Any]:
    """Facts are kept as name -> [when, event id, value]."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return {name: kept[2] for name, kept in found.items() if isinstance(kept, list) and len(kept) == 3}  # noqa: PLR2004 - as kept
