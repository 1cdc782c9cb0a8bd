"""`sentiment`: what it costs to read a text, to learn a rating, and to keep what was learned.

Measured: processor time to read a text of 300 letters by its words and by what a thousand ratings taught
(`sentiment`, what an installation pays for an event with a text), by its words alone (`sentiment.words`), one event
without a text, which is looked at and left (`sentiment.none`); teaching a rating of thirty words (`sentiment.label`);
the state as it is stored (`sentiment.state`); reading words of six languages for the first time (`sentiment.first`).

Left out: the commit of a step, and the archive's query for the text a rating is about.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import hub
from bench.result import Result, at_most, told
from scoring.sentiment.learned import Learned, State, encode
from scoring.sentiment.noting import noted
from scoring.sentiment.reading import read
from scoring.sentiment.teaching import Teacher

TEXT: Final = (
    "Hello, we have been waiting for nine days now and the export is still broken, which is a real problem for our "
    "finance team because they cannot close the month without these numbers. Could you please have a look at it today? "
    "As much as we like the product, this has to work. Thanks in advance, Eva from Example"
).ljust(300, ".")[:300]
IN_SIX_LANGUAGES: Final = ("It is broken.", "Es ist kaputt.", "C'est cassé.", "Está roto.", "È rotto.", "Het is kapot.")
WORDS: Final = (
    "works",
    "broken",
    "fast",
    "slow",
    "great",
    "poor",
    "team",
    "export",
    "report",
    "answer",
    "today",
    "again",
)
LABELS = 1_000
ROUNDS = 5
TIMES = 500


def run(rounds: int = ROUNDS) -> list[Result]:
    began = time.process_time()
    for text in IN_SIX_LANGUAGES:
        read(text)
    first = time.process_time() - began
    began = time.process_time()
    teacher = Teacher(State())
    for place in range(LABELS):
        said = " ".join(WORDS[(place * step + step) % len(WORDS)] for step in range(1, 60, 2))
        teacher.learn(f"{said} {place}", positive=place % 2 == 0)
    label = (time.process_time() - began) / LABELS
    state = teacher.state()
    learned = Learned(state)
    bare = hub.Event(id="1", kind="usage.tracked", account="a", occurred_at=datetime(2026, 3, 2, tzinfo=UTC))
    return [
        at_most("sentiment", 1e6 * _once(lambda: read(TEXT, learned), rounds), "us CPU a text", 200.0),
        told("sentiment.words", 1e6 * _once(lambda: read(TEXT), rounds), "us CPU a text"),
        told("sentiment.none", 1e6 * _once(lambda: noted(bare, learned), rounds), "us CPU an event"),
        told("sentiment.label", 1e6 * label, "us CPU a label"),
        at_most("sentiment.state", len(encode(state)) / 1024, "KB", 50.0),
        told("sentiment.first", 1e3 * first, "ms CPU"),
    ]


def _once(act: Callable[[], object], rounds: int) -> float:
    """The quickest round: what others do on the machine only adds."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(TIMES):
            act()
        found.append((time.process_time() - began) / TIMES)
    return min(found)
