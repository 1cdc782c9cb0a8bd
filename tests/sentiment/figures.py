"""How well texts are read: the table of docs/sentiment.md; `python -m tests.sentiment.figures --write` writes it."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from scoring.sentiment.intent import NEUTRAL
from scoring.sentiment.reading import read

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "sentiment.md"
PARTS = ("development", "ordinary", "held out", "unseen", "blind")
Z = 1.959964  # of a 95 % interval


class Sentence(NamedTuple):
    language: str
    intent: str
    polarity: str
    tag: str
    text: str


class Figure(NamedTuple):
    """How many sentences there were, and of how many language, intent and polarity were right, or on the wrong side."""

    count: int
    language: int
    intent: int
    polarity: int
    wrong_side: int


def sentences(part: str) -> list[Sentence]:
    """`development` or `held out`, every other sentence of each language; or the file of that name."""
    half = {"development": slice(0, None, 2), "held out": slice(1, None, 2)}.get(part, slice(None))
    name = part if (HERE / f"{part}.yaml").is_file() else "sentences"
    told = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    return [Sentence(language, *one) for language, those in told.items() for one in those[half]]


def side(polarity: float) -> str:
    return "positive" if polarity > NEUTRAL else "negative" if polarity < -NEUTRAL else "neutral"


def figure(those: Sequence[Sentence], sure: float = 0.0) -> Figure:
    """Counts; of those on the wrong side only readings at least so sure."""
    language = intent = polarity = wrong = 0
    for one in those:
        reading = read(one.text)
        assert reading is not None
        said = side(reading.polarity)
        language += reading.language == one.language
        intent += reading.intent == one.intent
        polarity += said == one.polarity
        wrong += {said, one.polarity} == {"positive", "negative"} and reading.confidence >= sure
    return Figure(len(those), language, intent, polarity, wrong)


def wilson(right: int, count: int) -> tuple[float, float]:
    """95 % interval of a share."""
    share, spread = right / count, Z * Z / count
    middle = share + spread / 2
    half = Z * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return max(0.0, middle - half) / (1 + spread), (middle + half) / (1 + spread)


def table() -> str:
    """Rows of the page."""
    rows = []
    for part in PARTS:
        those = sentences(part)
        groups = {"all": those}
        if part not in ("development", "ordinary"):
            for language in sorted({one.language for one in those}):
                groups[language] = [one for one in those if one.language == language]
            for tag in ("plain", "negation", "sarcasm", "politeness", "mixed"):
                groups[tag] = [one for one in those if one.tag == tag]
        rows += [_row(part, name, figure(some)) for name, some in groups.items()]
    return "\n".join(rows)


def _row(part: str, name: str, found: Figure) -> str:
    low, high = wilson(found.polarity, found.count)
    shares = " | ".join(f"{right / found.count:.0%}" for right in (found.language, found.intent, found.polarity))
    wrong = f"{found.wrong_side / found.count:.0%}"
    return f"| {part} | {name} | {found.count} | {shares} | {low:.0%} – {high:.0%} | {wrong} |".replace("%", " %")


def written(page: str) -> str:
    """The page with the table of today."""
    lines = page.split("\n")
    ours = [place for place, line in enumerate(lines) if line.startswith(tuple(f"| {part} | " for part in PARTS))]
    return "\n".join([*lines[: ours[0]], table(), *lines[ours[-1] + 1 :]])


if __name__ == "__main__":
    print(table())
    if "--write" in sys.argv:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
