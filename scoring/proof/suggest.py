"""Measures and a scorecard for data nobody has described yet, made of which kinds of events there are.

Nothing in it is made for one company: half-lives are fractions of the horizon, directions follow from the vocabulary of
events, and the scorecard is the plainest there is. `pulsehub evaluate` uses it where an installation declares nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from hub import ConfigError
from scoring.clock import DAY
from scoring.config import Config

BAD: Final = frozenset(
    {
        "account.deleted",
        "contact.left",
        "dispute.opened",
        "invoice.failed",
        "invoice.overdue",
        "invoice.voided",
        "opportunity.lost",
        "refund.issued",
        "subscription.cancelled",
        "subscription.paused",
        "ticket.escalated",
        "ticket.opened",
        "ticket.reopened",
    }
)
"""Kinds of which more is no good sign, and none a sign of life."""
_QUIET: Final = frozenset({"account.updated", "contact.updated", "owner.changed", "account.merged", "note.logged"})
_MOST_KINDS: Final = 8
_LONGEST: Final = 730.0  # days of the window in which days are counted
_WIDE: Final = 8.0  # horizons


class Fact(NamedTuple):
    """A kind of event that there is.

    Attributes:
        kind: of it.
        amount: whether such events carry money.
        value: whether they carry a number.
        contact: whether they name a person.
        entity: whether they are about a thing of the customer's, such as a subscription.
        renews: whether they say when its contract ends (`renewal_on`).
    """

    kind: str
    amount: bool = False
    value: bool = False
    contact: bool = False
    entity: bool = False
    renews: bool = False


def suggested(facts: Iterable[Fact], *, horizon: float, every: float, lost: Sequence[str] = ()) -> Config:
    """A configuration for data of these kinds.

    Args:
        facts: what there is.
        horizon: seconds of silence after which a customer is lost.
        every: seconds between two looks at a customer.
        lost: kinds whose silence means that a customer is lost; all that are a sign of life unless given.

    Raises:
        ConfigError: there is no sign of life among the kinds.
    """
    there = [fact for fact in facts if fact.kind not in _QUIET]
    known = {fact.kind: _merged(fact.kind, there) for fact in there}
    alive = [kind for kind in known if kind not in BAD]
    signs = list(lost) or alive
    if not signs:
        raise ConfigError("none of these events is a sign of life: say which with --kinds")
    measures = [*_life("", signs, horizon), *_amounts("", signs, known, horizon)]
    others = [kind for kind in known if [kind] != signs][:_MOST_KINDS]
    for kind in others:
        measures += [*_counts(kind, horizon), *_amounts(kind, [kind], known, horizon)]
    if any(known[kind].contact for kind in signs if kind in known):
        measures.append(_measure("people", "people", signs, label="{n} people in 28 days"))
    measures += _contract(known.values())
    return Config.model_validate({"measures": measures, "scorecard": _card(signs, horizon, every)})


def _merged(kind: str, facts: Iterable[Fact]) -> Fact:
    alike = [one for one in facts if one.kind == kind]
    return Fact(
        kind,
        amount=any(one.amount for one in alike),
        value=any(one.value for one in alike),
        contact=any(one.contact for one in alike),
        entity=any(one.entity for one in alike),
        renews=any(one.renews for one in alike),
    )


def _contract(facts: Iterable[Fact]) -> list[Mapping[str, Any]]:
    """What a customer pays and until when, where that is told."""
    found: list[Mapping[str, Any]] = []
    facts = [*facts]
    if any(fact.kind.startswith("subscription.") and fact.amount and fact.entity for fact in facts):
        pays = _measure("mrr", "entities", [], entity="subscription", read="sum", label="pays {n} a month")
        found.append({**pays, "direction": "up"})
    if renewing := [fact.kind for fact in facts if fact.renews]:
        date = {"of": "properties.renewal_on", "read": "until", "unit": "days", "direction": "up"}
        found.append(_measure("renewal", "date", renewing, label="renews in {n} days", **date))
    return found


def _measure(name: str, family: str, kinds: Sequence[str], *, label: str, **more: Any) -> Mapping[str, Any]:
    bad = all(kind in BAD for kind in kinds)
    return {
        "name": name,
        "family": family,
        "kinds": list(kinds),
        "dimension": "activity",
        "label": label,
        "direction": "down" if bad else "up",
    } | more


def _life(prefix: str, kinds: Sequence[str], horizon: float) -> list[Mapping[str, Any]]:
    window = f"{min(_LONGEST, max(28.0, round(_WIDE * horizon / DAY))):.0f}d"
    return [
        _measure("silence", "recency", kinds, label="silent for {n} days", direction="down", unit="days"),
        _measure("tenure", "tenure", kinds, label="a customer for {n} days", unit="days"),
        _measure("days", "days", kinds, label="came on {n} days", window=window, unit="days"),
        _measure("days_28", "active_days", kinds, label="came on {n} of the last 28 days", unit="days"),
        *_counts(prefix, horizon, kinds),
        _measure("ever", "count", kinds, label="{n} events since it is known"),
        _measure("pace", "trend", [], short="lately", long="longer", label="{n} % of the usual pace", unit="%"),
    ]


def _counts(kind: str, horizon: float, kinds: Sequence[str] = ()) -> list[Mapping[str, Any]]:
    name = f"{_plain(kind)}_" if kind else ""
    those = kinds or [kind]
    what = _words(kind) if kind else "events"
    return [
        _measure(f"{name}lately", "count", those, half_life=horizon / 4.0, label=f"{{n}} {what} lately"),
        _measure(f"{name}longer", "count", those, half_life=horizon, label=f"{{n}} {what} in the longer run"),
    ]


def _amounts(kind: str, kinds: Sequence[str], known: Mapping[str, Fact], horizon: float) -> list[Mapping[str, Any]]:
    name = f"{_plain(kind)}_" if kind else ""
    found = []
    for of, words in (("amount", "money"), ("value", "units")):
        if any(getattr(known[one], of) for one in kinds if one in known):
            what = f"{words} of {_words(kind)}" if kind else words
            found.append(
                _measure(f"{name}{of}_lately", "sum", kinds, of=of, half_life=horizon, label=f"{{n}} {what} lately")
            )
            found.append(_measure(f"{name}{of}_ever", "sum", kinds, of=of, label=f"{{n}} {what} in all"))
    return found


def _card(kinds: Sequence[str], horizon: float, every: float) -> Mapping[str, Any]:
    days = horizon / DAY
    return {
        "dimensions": [
            {
                "name": "activity",
                "weight": 1,
                "measures": [
                    {"measure": "silence", "weight": 3, "low": 1.5 * days, "high": 0},
                    {"measure": "days_28", "weight": 2, "low": 0, "high": 8},
                    {"measure": "pace", "weight": 1, "low": 0.3, "high": 1.5},
                ],
            }
        ],
        "outcome": {"kinds": list(kinds), "silence": True, "horizon": horizon, "every": every},
        "base_rate": 0.3,
    }


def _plain(kind: str) -> str:
    return kind.replace(".", "_")


def _words(kind: str) -> str:
    return kind.replace(".", " ").replace("_", " ")
