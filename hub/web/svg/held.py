"""Who has what of a room: a strip with one cell for each partition, filled where somebody holds it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from markupsafe import Markup

from hub.web.svg.markup import tag

WIDE: Final = 128  # pixels
TALL: Final = 8
_APART: Final = 64  # cells, at most, that are drawn apart from each other


def held(cells: Sequence[bool], says: str, *, red: bool) -> Markup:
    """Draw it; `red` where a person should see to what is missing."""
    each = WIDE / max(1, len(cells))
    gap = min(1.0, each / 3) if len(cells) <= _APART else 0.0
    parts = [tag("title", says)]
    for there, run in groupby(enumerate(cells), key=lambda cell: cell[1]):
        name = "there" if there else "missing red" if red else "missing"
        places = [place for place, _ in run]
        spans = [(place, 1) for place in places] if gap else [(places[0], len(places))]
        parts += [
            tag("rect", x=place * each, y=0, width=many * each - gap, height=TALL, class_=name) for place, many in spans
        ]
    return tag("svg", *parts, class_="held", viewBox=f"0 0 {WIDE} {TALL}", width=WIDE, height=TALL, role="img")
