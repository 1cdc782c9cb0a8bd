"""The spread of a portfolio: bars of health, and under each band's part its count, to filter by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from hub.sdk.health import Band
from hub.web import words
from hub.web.svg.course import DEFAULT_BORDERS
from hub.web.svg.markup import percent, tag
from hub.web.svg.shape import shape

PLOT, FOOT = 104, 46


def strip(
    bins: Sequence[int],
    counts: Mapping[Band, int],
    href: Callable[[Band], str],
    *,
    chosen: Band | None = None,
    borders: Mapping[str, float] = DEFAULT_BORDERS,
) -> Markup:
    """Draw equal bins of 0 to 100; `href` gives the link that filters by a band, or clears the filter."""
    tallest = max([*bins, 1])
    zones, high = [], 100.0
    for band in ("thriving", "steady", "watch", "at_risk"):
        low = borders.get(band, 0.0)
        piles = _bars(bins, low, high, tallest)
        faded = chosen not in (None, band)
        zones.append(_zone(_Part(band, low, high), piles, counts.get(band, 0), href(band), faded=faded))
        high = low
    return tag(
        "svg",
        *reversed(zones),
        class_="strip",
        width="100%",
        height=PLOT + FOOT,
        role="group",
        aria_label="Customers by health",
    )


class _Part(NamedTuple):
    """A band's part of 0 to 100."""

    band: Band
    low: float
    high: float


def _bars(bins: Sequence[int], low: float, high: float, tallest: int) -> list[Markup]:
    width = 1 / len(bins)
    found = []
    for n, number in enumerate(bins):
        if not low <= (n + 0.5) * width * 100 < high or not number:
            continue
        height = max(2.0, number / tallest * (PLOT - 6))
        found.append(
            tag("rect", x=percent(n * width + width * 0.08), y=PLOT - height, width=percent(width * 0.84),
                height=height, rx=1.5, class_="pile")
        )  # fmt: skip
    return found


def _zone(part: _Part, piles: Sequence[Markup], number: int, href: str, *, faded: bool) -> Markup:
    band, x, width = part.band, percent(part.low / 100), percent((part.high - part.low) / 100)
    says = f"{words.BAND_WORDS[band]}: {words.plural(number, 'customer')}"
    return tag(
        "a",
        tag("title", says),
        tag("rect", x=x, y=0, width=width, height=PLOT + FOOT, class_="touch"),
        *piles,
        tag("rect", x=x, y=PLOT + 2, width=width, height=3, class_="floor"),
        shape(band, x=x, y=PLOT + 14),
        tag("text", f"{number:,}", x=x, dx=16, y=PLOT + 24, class_="count"),
        tag("text", words.BAND_WORDS[band], x=x, y=PLOT + 40, class_="word"),
        href=href,
        class_=f"zone {band} faded" if faded else f"zone {band}",
        aria_label=says,
        data_band=band,
    )
