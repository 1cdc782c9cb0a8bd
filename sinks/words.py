"""Health as people say it: names without tricks, bands, and a subject that says it all."""

from __future__ import annotations

import unicodedata
from typing import Final

from hub.sdk.actions import Action
from hub.sdk.health import Band, Driver

BANDS: Final[dict[Band, str]] = {
    "thriving": "thriving",
    "steady": "steady",
    "watch": "watch",
    "at_risk": "at risk",
    "left": "left",
}
_NAME, _TEXT = 80, 120  # longest of each, in characters


def clean(text: str, longest: int = _TEXT) -> str:
    """One line of visible characters: no control characters, line breaks or changes of writing direction."""
    seen = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
    seen = "".join(c for c in seen if unicodedata.category(c) not in {"Cf", "Cs", "Co", "Cn"} or c == "\u200d")
    line = " ".join(seen.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def name_of(action: Action) -> str:
    """What people call the customer, fit for a header."""
    return clean(action.name, _NAME) or "A customer without a name"


def subject(action: Action) -> str:
    """`Northwind fell to 41 (at risk): 3 urgent tickets open, no login for 12 days`."""
    health = action.health
    fell = action.kind == "band_fell"
    verb = "fell to" if fell else "recovered to"
    why = [d for d in health.drivers if (d.points < 0) == fell and d.points]
    because = ": " + ", ".join(clean(d.text, 60) for d in why[:2]) if why else ""
    return f"{name_of(action)} {verb} {round(health.health)} ({BANDS[health.band]}){because}"


def signed(points: int) -> str:
    """`+6` or `\N{MINUS SIGN}14`."""
    return ("\N{MINUS SIGN}" if points < 0 else "+") + str(abs(points))


def halves(drivers: list[Driver]) -> tuple[list[Driver], list[Driver]]:
    """What pulls down and what holds up, each strongest first."""
    ordered = sorted(drivers, key=lambda d: -abs(d.points))
    return [d for d in ordered if d.points < 0], [d for d in ordered if d.points > 0]
