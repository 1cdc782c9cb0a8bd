"""`--lost-when`: what losing a customer means, on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError

from hub.sdk.errors import ConfigError
from scoring.outcome import Expansion, Outcome

HELP: Final = (
    "A way to be lost, several times if need be: cancelled=KIND, silent=KIND:30d, not_renewed=MEASURE:14d"
    " (a date, and the grace after it), contraction=MEASURE:20%."
)
_SECOND: Final = {"silent": "after", "not_renewed": "grace", "contraction": "by"}
_LISTED: Final = ("cancelled", "silent")


def way(said: str) -> dict[str, Any]:
    """One way as a scorecard has it.

    >>> way("contraction=mrr:20%"), way("cancelled=subscription.cancelled,account.deleted")
    ({'contraction': 'mrr', 'by': '20%'}, {'cancelled': ['subscription.cancelled', 'account.deleted']})

    Raises:
        ConfigError: it is none.
    """
    name, _, rest = said.partition("=")
    what, _, second = rest.partition(":")
    if name not in ("cancelled", *_SECOND) or not what or (second and name not in _SECOND):
        raise ConfigError(
            f"--lost-when {said}: write cancelled=KIND, silent=KIND:30d, not_renewed=MEASURE:14d"
            " or contraction=MEASURE:20%"
        )
    first = [one for one in what.split(",") if one] if name in _LISTED else what
    return {name: first} | ({_SECOND[name]: second} if second else {})


def growing(said: str) -> Expansion | None:
    """`mrr:10%` as a scorecard has it; None if nothing is said.

    >>> growing("mrr:10%").words
    'mrr up by 10 % or more'

    Raises:
        ConfigError: it makes no sense.
    """
    if not said:
        return None
    name, _, by = said.partition(":")
    try:
        return Expansion.model_validate({"measure": name} | ({"by": by} if by else {}))
    except ValidationError as error:
        raise ConfigError(f"--expansion {said}: write MEASURE:10%: {_plain(error.errors()[0]['msg'])}") from None


def outcome(said: dict[str, Any]) -> Outcome:
    """An outcome as the command line says it.

    Raises:
        ConfigError: it makes no sense.
    """
    try:
        return Outcome.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(one) for one in first["loc"] if isinstance(one, str) and one != "any")
        raise ConfigError(f"--lost-when{f', {where}' if where else ''}: {_plain(first['msg'])}") from None


def kinds(ways: Sequence[dict[str, Any]]) -> list[str]:
    """Kinds of events that these ways name."""
    return [kind for one in ways for name in _LISTED for kind in one.get(name, ())]


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("outcome: ")
