"""The words of a language and what they count for, read from `words/<language>.txt`.

A section's head says what its entries are: `[bad 2 outage]` weigh -2 and speak of an outage; `[works outage 1]` weigh
1, and -2 of an outage where they are negated; `[able complaint]` weigh only where they are negated; other heads name
a role (`not`, `very`, `but`, `polite` ...). Entries are words or phrases between commas; `disappoint*` is every word
that begins so. Where entries overlap the longest wins, so that `thanks for nothing` is no thanks.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Final

from scoring.sentiment.tokens import tokens

LANGUAGES: Final = ("en", "de", "fr", "es", "it", "nl")
ROLES: Final = (
    "not",
    "very",
    "slightly",
    "but",
    "polite",
    "thanks",
    "again",
    "irony",
    "ask",
    "gone",
    "once",
    "more",
    "if",
)
_KEPT: Final = 20_000  # words whose patterns are remembered
_UNDONE: Final = -2.0
_FLIP: Final = 0.6  # of what a negated word weighs, on the other side: `not bad` is less than `good`


@dataclass(frozen=True, slots=True)
class Cue:
    """What a word or phrase counts for.

    Attributes:
        words: the phrase; a last `*` stands for any ending.
        weight: below 0 bad, above good.
        intent: what it speaks of, empty for nothing.
        negated: weight where it is negated.
        negated_intent: what it speaks of then.
        roles: what it does to its neighbors.
    """

    words: tuple[str, ...]
    weight: float = 0.0
    intent: str = ""
    negated: float = 0.0
    negated_intent: str = ""
    roles: frozenset[str] = frozenset()

    def joined(self, other: Cue) -> Cue:
        """The same phrase under another head: the first head's weight, if it has one, and the roles of both."""
        weighs = self if self.weight or self.negated else other
        return replace(weighs, intent=self.intent or other.intent, roles=self.roles | other.roles)


class Lexicon:
    """Cues of one language.

    Args:
        cues: any phrase at most once.

    Attributes:
        negators: words that negate by themselves.
    """

    def __init__(self, cues: Mapping[tuple[str, ...], Cue]) -> None:
        self._exact: dict[str, list[Cue]] = {}
        self._stems: dict[str, list[Cue]] = {}
        for words, cue in cues.items():
            first = words[0]
            kept = self._stems if first.endswith("*") else self._exact
            kept.setdefault(first.rstrip("*"), []).append(cue)
        self._lengths = sorted({len(stem) for stem in self._stems}, reverse=True)
        self._found: dict[str, tuple[Cue, ...]] = {}
        self.negators = frozenset(words[0] for words, cue in cues.items() if len(words) == 1 and "not" in cue.roles)

    def at(self, words: Sequence[str], place: int) -> Cue | None:
        """The longest phrase that begins at a place; an exact word before one with any ending."""
        word = words[place]
        candidates = self._found.get(word)
        if candidates is None:
            candidates = self._look(word)
        for cue in candidates:
            phrase = cue.words
            if len(phrase) == 1 or _matches(phrase, words, place):
                return cue
        return None

    def _look(self, word: str) -> tuple[Cue, ...]:
        found = list(self._exact.get(word, ()))
        for length in self._lengths:
            if length <= len(word):
                found += self._stems.get(word[:length], ())
        found.sort(key=lambda cue: -len(cue.words))
        if len(self._found) >= _KEPT:  # a flood of new words makes it slower, not larger
            self._found.clear()
        self._found[word] = kept = tuple(found)
        return kept


def _matches(phrase: Sequence[str], words: Sequence[str], place: int) -> bool:
    if place + len(phrase) > len(words):
        return False
    for at in range(1, len(phrase)):
        wanted, word = phrase[at], words[place + at]
        if not (word.startswith(wanted[:-1]) if wanted[-1] == "*" else word == wanted):
            return False
    return True


@functools.cache
def lexicon(language: str) -> Lexicon:
    """The cues of a language, with those of any; only the latter for a language we do not read."""
    cues: dict[tuple[str, ...], Cue] = {}
    for name in (language, "any") if language in LANGUAGES else ("any",):
        for head, phrase in entries(name):
            if head[0] != "common":
                cue = _cue(head, phrase)
                cues[phrase] = cues[phrase].joined(cue) if phrase in cues else cue
    return Lexicon(cues)


def entries(name: str) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Heads and phrases of a file of words, in its order."""
    head: tuple[str, ...] = ()
    text = files("scoring.sentiment").joinpath("words", f"{name}.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("["):
            head = tuple(line.strip("[]").split())
            continue
        for entry in line.split(","):
            if words := tuple(_words(entry)):
                yield head, words


def _words(entry: str) -> Iterator[str]:
    for word in entry.split():
        parts = tokens(word.rstrip("*"))
        yield from parts[:-1]
        yield parts[-1] + ("*" if word.endswith("*") else "")


def _cue(head: Sequence[str], words: tuple[str, ...]) -> Cue:
    match head:
        case ("good", weight, *rest):
            strong = float(weight)
            return Cue(words, strong, rest[0] if rest else "", -_FLIP * strong - 0.6)
        case ("bad", weight, *rest):
            strong = float(weight)
            return Cue(words, -strong, rest[0] if rest else "", _FLIP * strong)
        case ("works", intent, weight):
            return Cue(words, float(weight), "", _UNDONE, intent)
        case ("able", intent):
            return Cue(words, 0.0, "", _UNDONE, intent)
        case ("price",):
            return Cue(words, 0.0, "price")
        case (role,) if role in ROLES:
            return Cue(words, roles=frozenset((role,)))
    raise ValueError(f"there is no section {' '.join(head)}")
