"""Whether a destination is tried at all: pure changes of its row in table `destinations`.

A call that failed as a whole counts; after three in a row the breaker opens, and lets one call through when its time
is up. A record that failed alone says nothing about the destination.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Final

from sinks.backoff import LONGEST_ASKED, span

THRESHOLD: Final = 3
LONGEST: Final = 300.0


@dataclass(frozen=True, slots=True)
class Destination:
    """How one destination is.

    Attributes:
        paused: nothing is pushed until a person resumes it.
        reason: why it is paused, or what its last failed call answered; None when all is well.
        open_until: unix seconds before which nothing is pushed.
        failures: calls that failed as a whole, in a row.
        ok_at: unix seconds when it last took something.
    """

    paused: bool = False
    reason: str | None = None
    open_until: float = 0.0
    failures: int = 0
    ok_at: float | None = None

    @property
    def down(self) -> bool:
        """Whether it failed often enough to be called so."""
        return self.failures >= THRESHOLD

    def lets_through(self, now: float) -> bool:
        """Whether a push may be tried now."""
        return not self.paused and now >= self.open_until


def answered(destination: Destination, now: float, *, took: bool) -> Destination:
    """A call came back with outcomes; `took` says whether it took any of the records."""
    ok_at = now if took else destination.ok_at
    return replace(destination, reason=None, open_until=0.0, failures=0, ok_at=ok_at)


def failed(destination: Destination, reason: str, now: float, rng: Random) -> Destination:
    """A call failed as a whole."""
    failures = destination.failures + 1
    opened = span(failures - THRESHOLD, base=5.0, cap=LONGEST) * rng.uniform(0.5, 1.0) if failures >= THRESHOLD else 0.0
    return replace(destination, reason=reason, failures=failures, open_until=now + opened)


def limited(destination: Destination, reason: str, now: float, after: float) -> Destination:
    """The destination asked for a pause of `after` seconds; that is no failure."""
    after = min(after, LONGEST_ASKED) if after >= 0 else 0.0  # NaN is not >= 0
    return replace(destination, reason=reason, open_until=now + after)


def refused(destination: Destination, reason: str) -> Destination:
    """The destination does not know us (any more): only a person can help."""
    return replace(destination, paused=True, reason=reason)
