"""The weights of a scorecard's text: read as they stand, and changed without touching anything else of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import yaml

from scoring.yamls import inner


class Weight(NamedTuple):
    """A number somebody gave.

    Attributes:
        key: names it: `adoption`, `adoption.usage_trend`; the second time `adoption.usage_trend.2`.
        name: of the dimension or measure.
        value: as written.
        share: of what stands beside it, 0 to 1.
    """

    key: str
    name: str
    value: float
    share: float


class Side(NamedTuple):
    """A dimension with its measures."""

    weight: Weight
    measures: list[Weight]


class _Place(NamedTuple):
    key: str
    name: str
    value: float
    begins: int
    ends: int


def weights(root: yaml.Node | None) -> list[Side]:
    """Those of `dimensions`; what is no number is left out. Cards of segments are not looked at."""
    found = [(side, list(inside)) for side, inside in _sides(root)]
    whole = sum(side.value for side, _ in found) or 1.0
    sides = []
    for side, inside in found:
        all_ = sum(one.value for one in inside) or 1.0
        sides.append(
            Side(
                Weight(side.key, side.name, side.value, side.value / whole),
                [Weight(one.key, one.name, one.value, one.value / all_) for one in inside],
            )
        )
    return sides


def reweighed(text: str, root: yaml.Node | None, changes: Mapping[str, float]) -> str:
    """The text with some weights changed, by their keys; comments and all else stay."""
    places = [place for side, inside in _sides(root) for place in (side, *inside) if place.key in changes]
    for place in sorted({(one.begins, one.ends): one for one in places}.values(), key=lambda one: -one.begins):
        text = f"{text[: place.begins]}{changes[place.key]:.6g}{text[place.ends :]}"
    return text


def _sides(root: yaml.Node | None) -> Iterator[tuple[_Place, Iterator[_Place]]]:
    dimensions = inner(root, "dimensions")
    if not isinstance(dimensions, yaml.SequenceNode):
        return
    met: dict[str, int] = {}
    for dimension in dimensions.value:
        if place := _place(dimension, "name", "", met):
            yield place, _inside(dimension, place.key)


def _inside(dimension: yaml.Node, key: str) -> Iterator[_Place]:
    met: dict[str, int] = {}
    measures = inner(dimension, "measures")
    for one in measures.value if isinstance(measures, yaml.SequenceNode) else ():
        if place := _place(one, "measure", f"{key}.", met):
            yield place


def _place(node: yaml.Node, called: str, before: str, met: dict[str, int]) -> _Place | None:
    name, weight = inner(node, called), inner(node, "weight")
    if not isinstance(name, yaml.ScalarNode) or not isinstance(weight, yaml.ScalarNode):
        return None
    try:
        value = float(weight.value)
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    key = f"{before}{name.value}"
    met[key] = met.get(key, 0) + 1
    key = key if met[key] == 1 else f"{key}.{met[key]}"
    return _Place(key, name.value, value, weight.start_mark.index, weight.end_mark.index)
