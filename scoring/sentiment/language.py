"""Which of six languages a text is in, by its common words and letters.

A word counts for the languages it is common in, the less the more there are; the words that say how somebody feels
count as well, so that `Great product` is English. Ten more languages are known by their commonest words alone, so
that Portuguese is `unknown` and not bad Spanish.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Final

from scoring.sentiment.lexicon import LANGUAGES, entries
from scoring.sentiment.tokens import MARKS

UNKNOWN: Final = "unknown"
_LEAST: Final = 0.3  # of evidence
_SURE: Final = 0.15
_DOUBT: Final = 0.5
_FEELING: Final = 0.6  # what a word of feeling counts of a common word
_STRANGE: Final = 0.3  # what it takes from a word that strangers have it, too
_STEM: Final = 4  # letters of the shortest stem
_KEPT: Final = 20_000  # words that are remembered
_READ: Final = 60  # words: more do not make it surer
_LETTERS: Final[Mapping[str, tuple[tuple[str, float], ...]]] = {
    "ß": (("de", 2.0),),
    "ä": (("de", 0.4), ("sv", 0.4), ("fi", 0.4)),
    "ö": (("de", 0.4), ("sv", 0.3), ("hu", 0.3), ("tr", 0.2)),
    "ü": (("de", 0.4), ("tr", 0.2), ("hu", 0.2)),
    "ñ": (("es", 2.0),),
    "¿": (("es", 2.0),),
    "¡": (("es", 2.0),),
    "ó": (("es", 0.3), ("pl", 0.2), ("hu", 0.2)),
    "í": (("es", 0.3), ("cs", 0.2), ("pt", 0.2)),
    "á": (("es", 0.3), ("pt", 0.3), ("hu", 0.3), ("cs", 0.2)),
    "è": (("fr", 0.3), ("it", 0.3)),
    "ê": (("fr", 0.7), ("pt", 0.5)),
    "û": (("fr", 1.0),),
    "œ": (("fr", 2.0),),
    "ç": (("fr", 0.5), ("pt", 0.7), ("tr", 0.4)),
    "ù": (("fr", 0.4), ("it", 0.6)),
    "ò": (("it", 1.0),),
    "ì": (("it", 1.0),),
    "ã": (("pt", 2.0),),
    "õ": (("pt", 2.0),),
    "å": (("sv", 1.0), ("da", 1.0), ("no", 1.0)),
    "ø": (("da", 1.5), ("no", 1.5)),
    "æ": (("da", 1.5), ("no", 1.2)),
    **dict.fromkeys("ąęłńśźż", (("pl", 1.5),)),
    **dict.fromkeys("ěřůčš", (("cs", 1.0),)),
    **dict.fromkeys("șțăş", (("ro", 0.8), ("tr", 0.4))),
    **dict.fromkeys("ğı", (("tr", 1.5),)),
    **dict.fromkeys("őű", (("hu", 2.0),)),
}
_KEYS: Final = frozenset(_LETTERS)


class _Vocabulary:
    """Which languages a word speaks for."""

    def __init__(self) -> None:
        self._words: dict[str, dict[str, float]] = {}
        self._stems: dict[str, dict[str, float]] = {}
        for language in LANGUAGES:
            for head, words in entries(language):
                if len(words) == 1:
                    self._add(words[0], language, 1.0 if head[0] == "common" else _FEELING)
        for head, words in entries("strangers"):
            self._add(words[0], head[0], 1.0)
        self._kept: dict[str, tuple[tuple[str, float], ...]] = {}

    def _add(self, word: str, language: str, worth: float) -> None:
        those = (self._stems if word.endswith("*") else self._words).setdefault(word.rstrip("*"), {})
        those[language] = max(worth, those.get(language, 0.0))

    def of(self, word: str) -> tuple[tuple[str, float], ...]:
        """Languages, and how much it speaks for each."""
        found = self._kept.get(word)
        if found is None:
            if len(self._kept) >= _KEPT:  # a flood of new words makes it slower, not larger
                self._kept.clear()
            self._kept[word] = found = self._look(word)
        return found

    def _look(self, word: str) -> tuple[tuple[str, float], ...]:
        those = self._words.get(word)
        if those is None:
            ends = range(len(word), _STEM - 1, -1)
            those = next((self._stems[word[:end]] for end in ends if word[:end] in self._stems), {})
        ours = sum(name in LANGUAGES for name in those)
        shared = ours + _STRANGE * (len(those) - ours)
        return tuple((name, worth / (shared if name in LANGUAGES else len(those))) for name, worth in those.items())


_vocabulary: Final = functools.cache(_Vocabulary)


def language_of(words: Sequence[str]) -> tuple[str, float, str]:
    """Language, confidence between 0 and 1, and whose words to read it by: the nearest of ours, or `unknown`.

    >>> from scoring.sentiment.tokens import tokens
    >>> language_of(tokens("Die Anmeldung funktioniert nicht mehr."))[0]
    'de'
    >>> language_of(tokens("Não consigo abrir o sistema, obrigado."))[0]
    'unknown'
    """
    known = _vocabulary().of
    scores: dict[str, float] = {}
    letters: set[str] = set()
    foreign = count = 0
    for word in words[: 2 * _READ]:
        for name, worth in known(word):
            scores[name] = scores.get(name, 0.0) + worth
        if not word.isascii() and word not in MARKS:
            letters.update(word)
            foreign += word[0] > "\u024f" and word[0].isalpha()
        count += word.isalpha()
    if "¿" in words or "¡" in words:
        letters.add("¿")
    for letter in letters & _KEYS:
        for name, worth in _LETTERS[letter]:
            scores[name] = scores.get(name, 0.0) + worth
    if not scores or 2 * foreign > count:
        return UNKNOWN, 0.0, UNKNOWN
    order = sorted(scores.items(), key=lambda found: (-found[1], found[0]))
    first, most = order[0]
    second = order[1][1] if len(order) > 1 else 0.0
    sure = max(0.0, (most - second) / (most + _DOUBT))
    if first not in LANGUAGES:
        return UNKNOWN, 0.0, UNKNOWN
    if most < _LEAST or sure < _SURE:
        return UNKNOWN, 0.0, first
    return first, sure, first
