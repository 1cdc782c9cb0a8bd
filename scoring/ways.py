"""Ways to lose a customer, as data. Each is a statement about one customer and a span of time (at, until].

Pure facts of time: of events it counts when they happened, never when they were heard of. So a label is the same in
whichever order the events came, and nothing that happened after `until` can change it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple

import numpy as np
from pydantic import BeforeValidator, Discriminator, Field, Tag

from scoring.arrays import Floats, Mask
from scoring.declared import Data, Duration, Grace, Share, listed

_DAY: Final = 86_400.0
HAIR: Final = 1e-5
"""How much nearer than a share counts as just that share: what was put on record has six digits."""
Names = Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)]


class Cancelled(Data):
    """One of these kinds of events happened within the span; coming back later does not undo it."""

    cancelled: Names

    @property
    def words(self) -> str:
        """For people."""
        return " or ".join(self.cancelled)


class Silent(Data):
    """At the end of the span none of these kinds had happened for so long."""

    silent: Names
    after: Duration | None = Field(None, description="at most the horizon; the whole horizon unless said")

    @property
    def words(self) -> str:
        """For people."""
        kinds = " or ".join(self.silent)
        return f"no {kinds}" if self.after is None else f"no {kinds} for {span(self.after)}"


class NotRenewed(Data):
    """At the end of the span a date, as it was told by then, and the grace after it had passed."""

    not_renewed: str = Field(description="a measure of family date that reads `until`: when the contract ends")
    grace: Grace = Field(0.0, description="at most the horizon")

    @property
    def words(self) -> str:
        """For people."""
        grace = f" within {span(self.grace)} of its end" if self.grace else ""
        return f"contract not renewed{grace} ({self.not_renewed})"


class Contraction(Data):
    """At the end of the span a number stood more than such a share below what it was at its beginning."""

    contraction: str = Field(description="a measure that stands until an event changes it: entities, last or gauge")
    by: Share = Field(lt=1, description="`20%`")

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.contraction} down by more than {percent(self.by)}"

    def bar(self, was: Floats) -> Floats:
        """(n,) below what it must stand, given what it was before; NaN or 0: it cannot."""
        return np.where(was > 0.0, was * (1.0 - self.by) * (1.0 - HAIR), np.nan)

    def below(self, was: Floats, now: Floats) -> Mask:
        """(n,) whether it shrank so much."""
        return np.asarray(now < self.bar(was))


class Left(NamedTuple):
    """That a customer was lost: how, in words, and when, unix seconds."""

    how: str
    at: float


KINDS_OF_WAYS: Final = {
    "cancelled": Cancelled,
    "silent": Silent,
    "not_renewed": NotRenewed,
    "contraction": Contraction,
}
_NOT_ONE: Final = (
    f"a way to lose a customer names one of {', '.join(KINDS_OF_WAYS)}: `not_renewed: contract_end`, `contraction: mrr`"
)


def _which(said: Any) -> str | None:
    """Which of the ways it is, by the word that it begins with."""
    if isinstance(said, dict):
        found = [name for name in KINDS_OF_WAYS if name in said]
    else:
        found = [name for name, kind in KINDS_OF_WAYS.items() if isinstance(said, kind)]
    return found[0] if len(found) == 1 else None


Way = Annotated[
    Annotated[Cancelled, Tag("cancelled")]
    | Annotated[Silent, Tag("silent")]
    | Annotated[NotRenewed, Tag("not_renewed")]
    | Annotated[Contraction, Tag("contraction")],
    Discriminator(_which, custom_error_type="no_way", custom_error_message=_NOT_ONE),
]


def span(seconds: float) -> str:
    """So many days, or hours where it is less.

    >>> span(86_400.0), span(1_209_600.0), span(43_200.0)
    ('1 day', '14 days', '12 hours')
    """
    many, unit = (seconds / _DAY, "day") if seconds >= _DAY else (seconds / 3_600.0, "hour")
    return f"{many:g} {unit}{'' if many == 1.0 else 's'}"


def percent(share: float) -> str:
    """A share for people.

    >>> percent(0.2), percent(1.5)
    ('20 %', '150 %')
    """
    return f"{100.0 * share:.6g} %"
