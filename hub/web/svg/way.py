"""The way of the data as a picture: where it comes from, which rooms it passes, where it goes, and where it stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from markupsafe import Markup

from hub.web.svg.markup import number, tag

BOX, TALL, GAP = 172, 54, 14  # pixels: a stop's width and height, and the space between two
STEP = 236  # from one column to the next
HEAD = 26


@dataclass(frozen=True, slots=True)
class Stop:
    """One box.

    `state` is `flowing`, `idle`, `behind` (slower than what comes) or `halted` (a person should act). `after` is the
    name of the only stop before it that it is joined to; None: all.
    """

    name: str
    line: str
    state: Literal["flowing", "idle", "behind", "halted"] = "idle"
    href: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """Stops beside each other on the way, under one heading."""

    title: str
    stops: Sequence[Stop]


def way(columns: Sequence[Column]) -> Markup:
    """Draw the columns from left to right, for wide screens; a stop is joined to those of the next column."""
    most = max((len(c.stops) for c in columns), default=1)
    height = HEAD + most * (TALL + GAP)
    width = STEP * (len(columns) - 1) + BOX
    middles = [
        [HEAD + (height - HEAD) * (n + 0.5) / len(c.stops) for n in range(len(c.stops))] if c.stops else []
        for c in columns
    ]
    arrows = [
        _arrow(n * STEP + BOX, y1, (n + 1) * STEP, y2, _worse(a, b))
        for n, (here, there) in enumerate(pairwise(range(len(columns))))
        for y1, a in zip(middles[here], columns[here].stops, strict=True)
        for y2, b in zip(middles[there], columns[there].stops, strict=True)
        if b.after in (None, a.name)
    ]
    boxes = [
        part
        for n, column in enumerate(columns)
        for part in (
            tag("text", column.title, x=n * STEP, y=14, class_="heading"),
            *(_box(n * STEP, y - TALL / 2, s) for y, s in zip(middles[n], column.stops, strict=True)),
        )
    ]
    return _svg([*arrows, *boxes], width, height, "way wide", columns)


def way_down(columns: Sequence[Column]) -> Markup:
    """The same from top to bottom, two stops beside each other, for phones."""
    x, y, parts = BOX + GAP, 0.0, []
    for n, column in enumerate(columns):
        if n:
            parts.append(_arrow_down(BOX + GAP / 2, y - 2, y + 18))
            y += 24
        parts.append(tag("text", column.title, x=0, y=y + 14, class_="heading"))
        y += HEAD
        for place, stop in enumerate(column.stops):
            alone = place % 2 == 0 and place == len(column.stops) - 1
            width = 2 * BOX + GAP if alone else BOX
            parts.append(_box(place % 2 * x, y + place // 2 * (TALL + GAP), stop, width))
        y += (len(column.stops) + 1) // 2 * (TALL + GAP)
    return _svg(parts, 2 * BOX + GAP, y, "way narrow", columns)


def _svg(parts: Sequence[Markup], width: float, height: float, name: str, columns: Sequence[Column]) -> Markup:
    halted = [s.name for c in columns for s in c.stops if s.state == "halted"]
    says = f"Stands still: {', '.join(halted)}" if halted else "Everything flows"
    return tag(
        "svg", *parts, class_=name, viewBox=f"-1 0 {number(width + 2)} {number(height)}", role="group", aria_label=says
    )


def _worse(a: Stop, b: Stop) -> str:
    order = ("idle", "flowing", "behind", "halted")
    if b.state == "halted":
        return "halted"
    pick = min if "idle" in (a.state, b.state) else max
    return pick(a.state, b.state, key=order.index)


def _arrow(x1: float, y1: float, x2: float, y2: float, state: str) -> Markup:
    middle = (x1 + x2) / 2
    places = ((x1, y1), (middle, y1), (middle, y2), (x2, y2))
    start, *curve = (f"{number(x)} {number(y)}" for x, y in places)
    return tag("path", d=f"M{start}C{' '.join(curve)}", class_=f"arrow {state}")


def _arrow_down(x: float, y1: float, y2: float) -> Markup:
    top, left, tip, right = (f"{number(x + dx)} {number(y)}" for dx, y in ((0, y1), (-4, y2 - 5), (0, y2), (4, y2 - 5)))
    return tag("path", d=f"M{top}L{tip}M{left}L{tip}L{right}", class_="arrow flowing")


def _box(x: float, y: float, stop: Stop, width: float = BOX) -> Markup:
    name, line = _fit(stop.name, width, 8.0), _fit(stop.line, width, 5.9)
    inner = (
        tag("title", f"{stop.name}: {stop.line}"),
        tag("rect", x=x, y=y, width=width, height=TALL, rx=8, class_="box"),
        tag("circle", cx=x + 16, cy=y + 20, r=4, class_="lamp"),
        tag("text", name, x=x + 28, y=y + 24, class_="name"),
        tag("text", line, x=x + 28, y=y + 42, class_="sub"),
    )
    if stop.href:
        return tag("a", *inner, href=stop.href, class_=f"stop {stop.state}")
    return tag("g", *inner, class_=f"stop {stop.state}")


def _fit(text: str, width: float, each: float) -> str:
    """Cut what would not fit into a box; `each` is about the width of a letter."""
    most = int((width - 36) / each)
    return text if len(text) <= most else f"{text[: most - 1]}…"
