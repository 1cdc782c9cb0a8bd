"""A figure over months with its intervals, and below it how many outcomes it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup

from hub.web.svg.markup import percent, tag

PLOT, PILES, FOOT, TOP = 200, 40, 22, 8  # pixels: the figure, the counts below it, the months, the room above
_APART = 10  # pixels between the figure and the counts
_NAMED = 12  # months whose names fit beside each other


@dataclass(frozen=True, slots=True)
class Step:
    """One month.

    `value` is None where outcomes do not suffice; `other` is what it is compared with, None likewise.
    """

    name: str
    value: float | None
    low: float
    high: float
    other: float | None
    outcomes: int
    lost: int
    says: str


def months(steps: Sequence[Step], *, low: float, high: float, even: float | None, what: str) -> Markup:
    """Draw them; the axis goes from `low` to `high`, `even` is a line across, what would be had for nothing."""
    many = max(1, len(steps))
    most = max([step.outcomes for step in steps], default=1) or 1
    every = -(-many // _NAMED)
    marks = [low, (low + high) / 2, high]
    return tag(
        "svg",
        tag("title", f"{what} by month of prediction"),
        *(
            part
            for mark in marks
            for part in (
                tag("line", x1="0", x2="100%", y1=_y(mark, low, high), y2=_y(mark, low, high), class_="grid"),
                tag("text", f"{mark:.2f}", x=0, y=_y(mark, low, high) - 4, class_="mark"),
            )
        ),
        *(
            ()
            if even is None
            else (tag("line", x1="0", x2="100%", y1=_y(even, low, high), y2=_y(even, low, high), class_="even"),)
        ),
        *_lines(steps, low, high),
        *(
            _step(step, _Place(_x(place, many), many, most, place % every == 0), low, high)
            for place, step in enumerate(steps)
        ),
        class_="months",
        width="100%",
        height=TOP + PLOT + _APART + PILES + FOOT,
        role="img",
    )


def _y(value: float, low: float, high: float) -> float:
    return TOP + PLOT * (1.0 - (min(max(value, low), high) - low) / (high - low))


def _x(place: int, many: int) -> float:
    return 0.06 + 0.94 * (place + 0.5) / many


def _lines(steps: Sequence[Step], low: float, high: float) -> list[Markup]:
    return [
        tag(
            "line",
            x1=percent(_x(place, len(steps))),
            y1=_y(a.value, low, high),
            x2=percent(_x(place + 1, len(steps))),
            y2=_y(b.value, low, high),
            class_="line",
        )
        for place, (a, b) in enumerate(pairwise(steps))
        if a.value is not None and b.value is not None
    ]


class _Place(NamedTuple):
    """Where a month stands: its share of the width, of how many, the tallest count, and whether it is named."""

    x: float
    many: int
    most: int
    named: bool


def _step(step: Step, place: _Place, low: float, high: float) -> Markup:
    x, floor = percent(place.x), TOP + PLOT + _APART + PILES
    width = min(0.6 / place.many, 0.03)
    left, tall = percent(place.x - width / 2), PILES * step.outcomes / place.most
    parts = [
        tag("title", step.says),
        tag("rect", x=left, width=percent(width), y=floor - tall, height=tall, class_="outcomes"),
        tag("rect", x=left, width=percent(width), y=floor - tall * step.lost / max(1, step.outcomes),
            height=tall * step.lost / max(1, step.outcomes), class_="lost"),
    ]  # fmt: skip
    if step.value is not None:
        parts.append(tag("line", x1=x, x2=x, y1=_y(step.low, low, high), y2=_y(step.high, low, high), class_="between"))
        if step.other is not None:
            parts.append(tag("circle", cx=x, cy=_y(step.other, low, high), r=3.5, class_="other"))
        parts.append(tag("circle", cx=x, cy=_y(step.value, low, high), r=4, class_="point"))
    if place.named:
        parts.append(tag("text", step.name, x=x, y=floor + 17, text_anchor="middle"))
    return tag("g", *parts, class_="step")
