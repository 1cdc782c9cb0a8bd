"""How long to wait after a failure: exponential with full jitter, unless the other side said how long.

Full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/) spreads those who failed
together over the whole span, so that they do not come back together.
"""

from __future__ import annotations

import math
from random import Random
from typing import Final

BASE: Final = 1.0
CAP: Final = 600.0
LONGEST_ASKED: Final = 86_400.0  # a destination that says "come back in a year" is asked again tomorrow


def span(attempt: int, base: float = BASE, cap: float = CAP) -> float:
    """The longest wait after the `attempt`-th failure (the first is 1), in seconds."""
    return min(cap, base * 2.0 ** min(attempt, 60))


def wait(attempt: int, asked: float | None, rng: Random) -> float:
    """Seconds to wait after the `attempt`-th failure; what the other side `asked` for wins if it is a number."""
    if asked is not None and math.isfinite(asked) and asked >= 0:
        return min(asked, LONGEST_ASKED)
    return rng.uniform(0.0, span(attempt))
