"""What was said beside what came true: points that lie on the diagonal where the two are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from markupsafe import Markup

from hub.web import words
from hub.web.svg.markup import tag

SIDE, LEFT, FOOT, TOP = 280, 44, 40, 10  # pixels: the square, and the room for what stands around it
_ENDS: Final = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
_STEPS: Final = 4


class Group(Protocol):
    """Predictions that lie near each other; `scoring.proof.record.Group` is one."""

    @property
    def said(self) -> float:
        """Risk, on average."""

    @property
    def came(self) -> float:
        """Share that was lost."""

    @property
    def low(self) -> float:
        """Its interval begins here."""

    @property
    def high(self) -> float:
        """It ends here."""

    @property
    def labels(self) -> int:
        """How many they are."""


def calibration(groups: Sequence[Group]) -> Markup:
    """Draw the groups with their intervals; both axes have one scale, which ends where the data do."""
    most = max((max(one.high, one.said) for one in groups), default=1.0)
    end = next((end for end in _ENDS if most <= end), 1.0)

    def x(share: float) -> float:
        return LEFT + SIDE * min(share / end, 1.0)

    def y(share: float) -> float:
        return TOP + SIDE * (1.0 - min(share / end, 1.0))

    lines = []
    for step in range(_STEPS + 1):
        share = end * step / _STEPS
        lines += [
            tag("line", x1=LEFT, x2=LEFT + SIDE, y1=y(share), y2=y(share), class_="grid"),
            tag("text", _percent(share), x=LEFT - 8, y=y(share) + 4, text_anchor="end"),
            tag("text", _percent(share), x=x(share), y=TOP + SIDE + 18, text_anchor="middle"),
        ]
    return tag(
        "svg",
        tag("title", _says(groups)),
        *lines,
        tag("line", x1=x(0), y1=y(0), x2=x(end), y2=y(end), class_="even"),
        tag("text", "said", x=LEFT + SIDE, y=TOP + SIDE + 36, text_anchor="end", class_="axis-name"),
        tag("text", "came true", x=LEFT + 6, y=TOP + 14, class_="axis-name"),
        *(_point(one, x, y) for one in groups),
        class_="calibration",
        viewBox=f"0 0 {LEFT + SIDE + 16} {TOP + SIDE + FOOT}",
        role="img",
    )


def _point(one: Group, x: Callable[[float], float], y: Callable[[float], float]) -> Markup:
    return tag(
        "g",
        tag(
            "title",
            f"said {words.share(one.said)}, came {words.share(one.came)}"
            f" ({words.share(one.low)} to {words.share(one.high)}), {one.labels:,} outcomes",
        ),
        tag("line", x1=x(one.said), x2=x(one.said), y1=y(one.low), y2=y(one.high), class_="between"),
        tag("circle", cx=x(one.said), cy=y(one.came), r=4.5, class_="point"),
        class_="group",
    )


def _percent(share: float) -> str:
    """A mark of an axis.

    >>> _percent(0.05), _percent(0.025), _percent(1.0)
    ('5 %', '2.5 %', '100 %')
    """
    return f"{share * 100:.3g} %"


def _says(groups: Sequence[Group]) -> str:
    if not groups:
        return "No predictions yet"
    told = "; ".join(f"{words.share(one.said)}: {words.share(one.came)}" for one in groups)
    return f"What was said and what came true, least risk first. {told}"
