"""How somebody feels, by the words they use: weights, turned by negation, contrast, politeness and irony.

The sum is a logit: the polarity is `tanh(sum / 2)`, the same as twice the probability of `positive` less one, so that
what is learned from ratings can be added to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from scoring.sentiment.lexicon import Cue, Lexicon
from scoring.sentiment.tokens import ENDS, MARKS

MOST: Final = 6.0
"""Logits: nobody is surer than that."""
_SCOPE: Final = 5  # words after `not` that it turns
_BACK: Final = 4  # words before `nicht` that it turns
_AFTER: Final = frozenset({"de", "nl"})  # the verb stands before the `not`
_LOUDER: Final = 1.4
_SOFTER: Final = 0.6
_BEFORE_BUT: Final = 0.35
_BEHIND_BUT: Final = 1.2
_ASKED: Final = 0.6  # what a bad word weighs in a question ...
_ASKED_WELL: Final = 0.3  # ... and a good one: `how does it work?`
_IRONIC: Final = -0.6
_ONCE: Final = -0.5  # what is told of how it used to be says how it is now
_DENIED: Final = -0.9  # a plain `not` in a statement, with no word of feeling: seldom good news ...
_NO_MORE: Final = -1.3  # ... and less so what happens no more
_OPENERS: Final = frozenset("¿¡")
_SHORT: Final = 5  # words of a text that is thanks and nothing else
_OPENING: Final = 2  # words within which an exclamation of praise stands alone


@dataclass(slots=True)
class _Found:
    """One cue in a text."""

    cue: Cue
    place: int
    sentence: int
    clause: int
    weight: float
    intent: str
    negated: bool = False


@dataclass(slots=True)
class Heard:
    """What the words of a text come to.

    Attributes:
        logit: of `positive` against `negative`, within `MOST`.
        evidence: how much was said for either side.
        intents: what was spoken of, and how much.
        asks: whether something is asked.
    """

    logit: float = 0.0
    evidence: float = 0.0
    intents: dict[str, float] = field(default_factory=dict)
    asks: bool = False


def hear(words: Sequence[str], lexicon: Lexicon, language: str) -> Heard:
    """Weigh the words of a text.

    >>> from scoring.sentiment.lexicon import lexicon
    >>> from scoring.sentiment.tokens import tokens
    >>> hear(tokens("not happy"), lexicon("en"), "en").logit < 0 < hear(tokens("not bad"), lexicon("en"), "en").logit
    True
    """
    walked = _Pass(words, lexicon, language)
    walked.walk()
    return walked.heard()


class _Pass:
    """One walk over a text."""

    def __init__(self, words: Sequence[str], lexicon: Lexicon, language: str) -> None:
        self._words, self._lexicon, self._after = words, lexicon, language in _AFTER
        self._found: list[_Found] = []
        self._roles: dict[str, int] = {}
        self._questions: set[int] = set()
        self._sentence = self._clause = 0
        self._negated = -1  # up to where a `not` reaches
        self._turning = -1  # where one stands that has turned nothing yet
        self._louder, self._loud_until = 1.0, -1
        self._no_more = self._once = self._supposed = False
        self._plain = 0

    def walk(self) -> None:
        """Find the cues, each in its sentence and clause, and turn those that are negated."""
        words, lexicon = self._words, self._lexicon
        place, count = 0, len(words)
        while place < count:
            word = words[place]
            if word in MARKS:
                self._mark(word)
                place += 1
            elif (cue := lexicon.at(words, place)) is None:
                self._plain += 1
                place += 1
            else:
                if cue.roles:
                    self._role(cue, place)
                if cue.weight or cue.negated or cue.intent:
                    self._weigh(cue, place)
                place += len(cue.words)
        self._close()

    def _mark(self, mark: str) -> None:
        if mark not in _OPENERS:
            self._close(asked=mark == "?")
            self._clause += 1
            self._negated = self._turning = -1
            self._once = False
        if mark in ENDS:
            if mark == "?":
                self._questions.add(self._sentence)
            self._sentence += 1

    def _role(self, cue: Cue, place: int) -> None:
        for role in cue.roles:
            self._roles[role] = self._roles.get(role, 0) + 1
        if "but" in cue.roles and self._found:
            self._contrast()
            self._negated = self._turning = -1
            self._once = False
        if "not" in cue.roles:
            self._negated = place + _SCOPE + len(cue.words) - 1
            if not self._supposed:
                if self._after and self._turning >= 0:
                    self._back(self._turning)
                self._turning = place
                self._no_more = "more" in cue.roles
        elif "more" in cue.roles:
            self._no_more = True
        if "once" in cue.roles:
            self._once = True
        self._supposed = "if" in cue.roles
        if "gone" in cue.roles:
            self._gone()
        if "very" in cue.roles or "slightly" in cue.roles:
            self._louder = _LOUDER if "very" in cue.roles else _SOFTER
            self._loud_until = place + len(cue.words) + 1

    def _weigh(self, cue: Cue, place: int) -> None:
        if "very" in cue.roles and place + 1 < len(self._words) and self._weighs(place + 1):
            return  # `super friendly` is very friendly
        found = _Found(cue, place, self._sentence, self._clause, cue.weight, cue.intent)
        if place <= self._negated and cue.words[0] not in self._lexicon.negators:  # `no tengo ninguna queja` is one no
            _turn(found)
            self._turning = -1
        elif cue.negated_intent == "complaint" and cue.weight > 0.0:  # solved
            self._gone()
        if place <= self._loud_until:
            found.weight *= self._louder
        if self._once:
            found.weight *= _ONCE
            found.intent = ""
        self._found.append(found)

    def _weighs(self, place: int) -> bool:
        cue = self._lexicon.at(self._words, place)
        return cue is not None and bool(cue.weight)

    def _close(self, *, asked: bool = False) -> None:
        """A clause ends. A `not` that turned nothing turns what stands before it, or says no to something itself."""
        if self._turning >= 0 and not (self._after and self._back(self._turning)) and not asked:
            weight = _NO_MORE if self._no_more else _DENIED
            cue = Cue((), weight, "outage" if self._no_more else "")
            self._found.append(
                _Found(cue, self._turning, self._sentence, self._clause, weight, cue.intent, negated=True)
            )
        self._no_more = False

    def _back(self, turned: int) -> bool:
        near = [found for found in self._found[-_BACK:] if found.clause == self._clause and not found.negated]
        near = [found for found in near if turned - _BACK <= found.place < turned]
        if near:
            _turn(next((found for found in reversed(near) if found.weight >= 0.0), near[-1]))
        return bool(near)

    def _contrast(self) -> None:
        """What stands before a `but` was said to soften what follows."""
        for found in self._found:
            found.weight *= _BEFORE_BUT
        self._clause += 1

    def _gone(self) -> None:
        """A trouble that is gone is none."""
        for found in self._found:
            if found.sentence == self._sentence and found.weight < 0.0:
                found.weight, found.intent = 0.0, ""

    def heard(self) -> Heard:
        """Sum up."""
        self._ironic()
        out = Heard(asks=bool(self._questions) or "ask" in self._roles)
        total = 0.0
        last_but = "but" in self._roles
        for found in self._found:
            weight = found.weight
            if found.sentence in self._questions:
                weight *= _ASKED if weight < 0.0 else _ASKED_WELL
            if last_but and found.clause == self._clause:
                weight *= _BEHIND_BUT
            total += weight
            out.evidence += abs(weight)
            if found.intent:
                out.intents[found.intent] = out.intents.get(found.intent, 0.0) + max(0.7, abs(weight))
        if "again" in self._roles and total < 0.0:
            total, out.evidence = total - 0.4, out.evidence + 0.4
        if "thanks" in self._roles and not self._found and not out.asks and self._plain <= _SHORT - 1:
            total, out.evidence = 1.0, 1.0
        out.logit = max(-MOST, min(MOST, total))
        return out

    def _ironic(self) -> None:
        """Praise as an exclamation of its own, in the midst of trouble, is none."""
        good = [found for found in self._found if found.weight > 0.0 and not found.negated]
        if not good or "but" in self._roles:
            return
        bad = sum(found.weight for found in self._found if found.weight < 0.0)
        told = "irony" in self._roles
        if bad > -1.0 and not told:
            return
        for found in good:
            if told or self._alone(found):
                found.weight *= _IRONIC

    def _alone(self, found: _Found) -> bool:
        """Whether it is the whole of its clause."""
        begin = end = found.place
        while begin > 0 and self._words[begin - 1] not in MARKS:
            begin -= 1
        while end < len(self._words) and self._words[end] not in MARKS:
            end += 1
        return end - begin <= len(found.cue.words) + _OPENING


def _turn(found: _Found) -> None:
    found.weight, found.intent, found.negated = found.cue.negated, found.cue.negated_intent, True
