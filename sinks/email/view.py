"""What an alert's mail shows, worked out once for both of its parts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from hub.sdk.contracts import Delivery
from hub.sdk.events import Scalar
from hub.sdk.health import Band, Health
from sinks.words import BANDS, clean, halves, signed

_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_TEXT_BAR: Final = 8  # characters of the longest bar in the text part: lines stay short enough for a phone
SHOWN: Final = 6  # drivers on each side


@dataclass(frozen=True, slots=True)
class Bar:
    """One driver.

    Attributes:
        text: in words.
        points: signed, as people read it.
        width: percent of the longest bar, 2 to 100.
        text_bar: the same in characters.
    """

    text: str
    points: str
    width: int
    text_bar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything the templates say, in words."""

    kind: str
    subject: str
    name: str
    health: str
    band: Band
    band_word: str
    headline: str
    was: str
    since: str
    risk: str
    down: list[Bar]
    up: list[Bar]
    rest: str
    base: str
    facts: list[tuple[str, str]]
    link: str
    why_you: str


def view(delivery: Delivery, health: Health, public_url: str) -> View:
    """Put an alert into words.

    Args:
        delivery: as the engine gave it; its fields are an alert's parts.
        health: the health it speaks of.
        public_url: where our pages are.
    """
    facts = delivery.fields
    name = str(facts["name"])
    fell = facts["kind"] == "band_fell"
    down, up = (
        [d for d in side if round(d.points)][:SHOWN]  # what rounds to nothing is part of everything else
        for side in halves(health.drivers)
    )
    longest = max((abs(d.points) for d in [*down, *up]), default=1.0)
    # whole points, so that a reader who adds up the column gets the sum at its foot
    rest = round(health.health) - round(health.base) - sum(round(d.points) for d in [*down, *up])
    return View(
        kind=str(facts["kind"]),
        subject=str(facts["subject"]),
        name=name,
        health=str(round(health.health)),
        band=health.band,
        band_word=BANDS[health.band],
        headline="needs you" if fell else "has recovered",
        was=f"{health.was:.0f} ({BANDS[health.was_band]})" if health.was is not None and health.was_band else "",
        since=_moment(facts.get("since") or health.at),
        risk=f"{health.risk * 100:.0f} %",
        down=[_bar(d.text, d.points, longest) for d in down],
        up=[_bar(d.text, d.points, longest) for d in up],
        rest=signed(rest) if rest else "",
        base=str(round(health.base)),
        facts=_facts(facts, health.at),
        link=f"{public_url}/accounts/{delivery.account}",
        why_you=_why_you(facts, name),
    )


def _bar(text: str, points: float, longest: float) -> Bar:
    share = min(1.0, abs(points) / longest)
    return Bar(clean(text), signed(round(points)), max(2, round(100 * share)), "█" * max(1, round(_TEXT_BAR * share)))


def _moment(at: Scalar) -> str:
    return f"{datetime.fromtimestamp(float(at or 0), UTC):%a %-d %B %Y, %H:%M} UTC"


def _facts(facts: Mapping[str, Scalar], at: float) -> list[tuple[str, str]]:
    """What a reader wants beside it; only what is known."""
    found = []
    if isinstance(mrr := facts.get("mrr"), int | float):
        found.append(("Revenue", f"{money(mrr, str(facts.get('currency') or ''))} a month"))
    if renewal := _renewal(facts.get("renewal_on"), at):
        found.append(("Renewal", renewal))
    if owner := clean(str(facts.get("owner") or "")):
        found.append(("Owner", owner))
    return found


def money(amount: float, currency: str) -> str:
    """`$4,200`, `€1,250.50`, `4,200 CHF`."""
    number = f"{amount:,.0f}" if amount == round(amount) else f"{amount:,.2f}"
    if symbol := _SYMBOLS.get(currency):
        return symbol + number
    return f"{number} {clean(currency, 8)}".strip()


def _renewal(on: Scalar, at: float) -> str:
    """`1 May 2026, in 43 days`; nothing where it is no date."""
    try:
        day = date.fromisoformat(str(on)[:10])
    except ValueError:
        return ""
    days = (day - datetime.fromtimestamp(at, UTC).date()).days
    many = f"{abs(days)} day{'s' * (abs(days) != 1)}"
    when = "today" if days == 0 else f"in {many}" if days > 0 else f"{many} ago"
    return f"{day:%-d %B %Y}, {when}"


def _why_you(facts: Mapping[str, Scalar], name: str) -> str:
    if facts.get("addressed") == "owner":
        return f"You get this because {name} is yours."
    return f"You get this because {name} has no owner with an e-mail address, and you look after those."
