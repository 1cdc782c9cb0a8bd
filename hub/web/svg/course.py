"""Health over time, with the causes as numbered marks on the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from hub.web import words
from hub.web.svg.markup import number, percent, tag

PLOT, FOOT = 220, 24  # pixels of the plot and of the dates below it
ACROSS: Final = 1_000  # units the nested picture is wide
FINEST: Final = 500  # points of the line; more cannot be seen
APART: Final = 0.035  # share of the width between two marks
DEFAULT_BORDERS: Final[Mapping[str, float]] = {"thriving": 80.0, "steady": 60.0, "watch": 40.0}


@dataclass(frozen=True, slots=True)
class Point:
    """Health from a moment on, until the next point."""

    at: float
    health: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A move worth naming: `href` leads to the events behind it."""

    at: float
    health: float
    change: float
    text: str
    href: str


def choose(marks: Sequence[Mark], start: float, end: float, most: int = 6) -> list[Mark]:
    """The largest moves that lie far enough apart to be told apart, oldest first."""
    chosen: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: (-abs(mark.change), -mark.at)):
        if len(chosen) == most:
            break
        if start <= mark.at and all(abs(mark.at - other.at) >= APART * (end - start) for other in chosen):
            chosen.append(mark)
    return sorted(chosen, key=lambda mark: mark.at)


def course(
    points: Sequence[Point],
    marks: Sequence[Mark],
    *,
    start: float,
    end: float,
    borders: Mapping[str, float] = DEFAULT_BORDERS,
) -> Markup:
    """Draw a step line from `start` to `end`. The last point before `start` gives the height it begins at.

    `marks` are numbered in the order given; `borders` are the lowest health of each band but the lowest.
    """
    span = max(end - start, 1.0)
    drawn = _thin([p for p in points if p.at <= end], start, span)
    return tag(
        "svg",
        tag("title", _says(drawn, marks)),
        *_zones(borders),
        *_line(drawn, span, start),
        *_names(borders),
        *_dates(start, end),
        *(_mark(n, mark, (mark.at - start) / span) for n, mark in enumerate(marks, 1)),
        class_="course",
        width="100%",
        height=PLOT + FOOT,
        role="group",
        aria_label="Health over time",
    )


def _thin(points: Sequence[Point], start: float, span: float) -> list[Point]:
    before = [p for p in points if p.at < start]
    kept: dict[int, Point] = {int((p.at - start) / span * FINEST): p for p in points if p.at >= start}
    first = [Point(start, before[-1].health)] if before else []
    return first + list(kept.values())


def _y(health: float) -> float:
    return PLOT * (1 - min(max(health, 0.0), 100.0) / 100)


def _parts(borders: Mapping[str, float]) -> list[tuple[str, float, float]]:
    """Bands from the top, with the lowest and the highest health of each."""
    lows = [*sorted(borders.items(), key=lambda pair: -pair[1]), ("at_risk", 0.0)]
    highs = [100.0, *(low for _, low in lows)]
    return [(band, low, high) for (band, low), high in zip(lows, highs, strict=False)]


def _zones(borders: Mapping[str, float]) -> list[Markup]:
    return [
        tag("rect", x=0, y=_y(high), width="100%", height=_y(low) - _y(high), class_=f"zone {band}")
        for band, low, high in _parts(borders)
    ]


def _names(borders: Mapping[str, float]) -> list[Markup]:
    names: Mapping[str, str] = {str(band): word for band, word in words.BAND_WORDS.items()}
    return [
        part
        for band, low, high in _parts(borders)
        for part in (
            tag("text", names.get(band, band), x=8, y=_y(high) + 16, class_="zone-name"),
            tag("text", number(low), x="100%", dx=-8, y=_y(low) - 5, text_anchor="end", class_="zone-border"),
        )
    ]


def _line(drawn: Sequence[Point], span: float, start: float) -> list[Markup]:
    if not drawn:
        return []
    x = [(p.at - start) / span * ACROSS for p in drawn] + [float(ACROSS)]
    y = [_y(p.health) for p in drawn]
    steps = "".join(f"V{number(y[n])}H{number(x[n + 1])}" for n in range(len(y)))
    path = f"M{number(x[0])} {number(y[0])}{steps}"
    return [
        tag(
            "svg",
            tag("path", d=f"{path}V{PLOT}H{number(x[0])}Z", class_="under"),
            tag("path", d=path, class_="line", vector_effect="non-scaling-stroke"),
            viewBox=f"0 0 {ACROSS} {PLOT}",
            preserveAspectRatio="none",
            width="100%",
            height=PLOT,
            aria_hidden="true",
        ),
        tag("circle", cx="100%", cy=y[-1], r=4, class_="now"),
    ]


def _dates(start: float, end: float) -> list[Markup]:
    places = (("start", 0.0, 4), ("middle", 1 / 3, 0), ("middle", 2 / 3, 0), ("end", 1.0, -4))
    return [
        tag("text", _date(start + share * (end - start), end - start) if share < 1 else "now",
            x=percent(share), dx=dx, y=PLOT + 17, text_anchor=anchor, class_="date")
        for anchor, share, dx in places
    ]  # fmt: skip


def _date(at: float, span: float) -> str:
    when = words.moment(at)
    return f"{when:%H:%M}" if span < 2 * words.DAY else f"{when.day} {when:%b}"


def _mark(n: int, mark: Mark, share: float) -> Markup:
    y = min(max(_y(mark.health), 12), PLOT - 12)
    kind = "fell" if mark.change < 0 else "rose"
    return tag(
        "a",
        tag("title", f"{words.signed(mark.change)} {mark.text}"),
        tag("circle", cx=percent(share), cy=y, r=9, class_=f"mark {kind}"),
        tag("text", str(n), x=percent(share), y=y + 4, text_anchor="middle", class_="mark-number"),
        href=mark.href,
        aria_label=f"{n}: {words.signed(mark.change)}, {mark.text}",
    )


def _says(drawn: Sequence[Point], marks: Sequence[Mark]) -> str:
    if not drawn:
        return "No health yet"
    causes = "".join(f"; {words.signed(m.change)} {m.text}" for m in marks)
    return f"Health from {words.whole(drawn[0].health)} to {words.whole(drawn[-1].health)}{causes}"
