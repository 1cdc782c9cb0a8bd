"""A sparkline: the last weeks of an account in the space of a word."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from hub.web.svg.markup import number, tag
from hub.web.words import whole

WIDTH, HEIGHT, MARGIN = 84, 24, 3
LEAST_SPAN = 24.0  # points of health the picture shows at least: noise must look like noise


def spark(values: Sequence[float | None], band: str | None, days: int) -> Markup:
    """Draw health at equal steps of time, oldest first; None where there was none yet."""
    known = [(n, value) for n, value in enumerate(values) if value is not None]
    if not known:
        return tag("svg", class_="spark", width=WIDTH, height=HEIGHT, aria_hidden="true")
    low, high = _range([value for _, value in known])
    step = (WIDTH - 2 * MARGIN) / max(1, len(values) - 1)
    places = [
        (MARGIN + n * step, HEIGHT - MARGIN - (value - low) / (high - low) * (HEIGHT - 2 * MARGIN))
        for n, value in known
    ]
    x, y = places[-1]
    return tag(
        "svg",
        tag("title", f"{whole(known[0][1])} to {whole(known[-1][1])} over {days} days"),
        tag("polyline", points=" ".join(f"{number(x)},{number(y)}" for x, y in places), class_="line"),
        tag("circle", cx=x, cy=y, r=2.5, class_="end"),
        class_=f"spark {band or 'unknown'}",
        width=WIDTH,
        height=HEIGHT,
        role="img",
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    missing = max(0.0, LEAST_SPAN - (high - low)) / 2
    return low - missing, high + missing
