"""The shape of a band: told apart without color, and drawn the same by every browser."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from hub.sdk.health import Band
from hub.web.svg.markup import tag

SIZE: Final = 10
_DRAWN: Final[dict[Band, Markup]] = {
    "thriving": tag("path", d="M5 .8 9.6 9H.4z"),
    "steady": tag("circle", cx=5, cy=5, r=3.9),
    "watch": tag("path", d="M5 .2 9.8 5 5 9.8.2 5z"),
    "at_risk": tag("path", d="M5 9.2.4 1h9.2z"),
    "left": tag("circle", cx=5, cy=5, r=3.4, fill="none", stroke="currentColor", stroke_width=1.4),
}


def shape(band: Band, x: str | float | None = None, y: str | float | None = None) -> Markup:
    """Ten pixels square; the word stands beside it, so it says nothing itself."""
    return tag(
        "svg",
        _DRAWN[band],
        class_=f"shape {band}",
        x=x,
        y=y,
        width=SIZE,
        height=SIZE,
        viewBox=f"0 0 {SIZE} {SIZE}",
        aria_hidden="true",
    )
