"""Signed bars, left and right of one axis that all of a list's rows share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from hub.web.svg.markup import percent, tag

HEIGHT = 16


def bars(points: Sequence[float]) -> Callable[[float], Markup]:
    """A function that draws one row's bar on the axis that fits all of these.

    The axis stands where the longest bars of both sides fit, and never quite at an edge.
    """
    left = max([-p for p in points if p < 0], default=0.0)
    right = max([p for p in points if p > 0], default=0.0)
    most = max(left + right, 1e-9)
    axis = min(max(left / most, 0.04), 0.96)
    scale = min(axis / left if left else 1e9, (1 - axis) / right if right else 1e9)

    def bar(value: float) -> Markup:
        width = abs(value) * scale
        return tag(
            "svg",
            tag(
                "rect",
                x=percent(axis - width if value < 0 else axis),
                y=3,
                width=percent(width),
                height=HEIGHT - 6,
                rx=2,
                class_="down" if value < 0 else "up",
            ),
            tag("line", x1=percent(axis), x2=percent(axis), y1=0, y2=HEIGHT, class_="axis"),
            class_="bar",
            width="100%",
            height=HEIGHT,
            aria_hidden="true",
        )

    return bar
