"""What losing a customer means, and how far ahead it is predicted: the `outcome` of a scorecard."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from scoring.arrays import Floats
from scoring.declared import Data, Duration, Share, listed
from scoring.ways import HAIR, Cancelled, Contraction, NotRenewed, Silent, Way, percent

MOST_PENDING: Final = 60
"""Snapshots of a customer that can wait at once."""


class Outcome(Data):
    """What losing a customer means, and how far ahead it is predicted.

    With `kinds`, an account is lost when one of them happens within the horizon, or with `silence` when none does. With
    `any` it is lost when one of several ways comes true; see `scoring.ways`.
    """

    horizon: Duration
    every: Duration = Field(description="time between two snapshots of an account")
    kinds: list[str] = Field(default_factory=list, min_length=1)
    silence: bool = False
    any: Annotated[tuple[Way, ...], BeforeValidator(listed)] = Field(
        (), max_length=8, description="ways to be lost, one or several, in place of `kinds`"
    )
    back: list[str] = Field(
        default_factory=list,
        description="kinds by which a customer who cancelled returns; until then nothing is predicted of it",
    )
    later: ClassVar[frozenset[str]] = frozenset({"any", "kinds"})

    @property
    def ways(self) -> tuple[Way, ...]:
        """Ways to be lost, however they are written down; a silence always says for how long."""
        if not self.any:
            kinds = tuple(self.kinds)
            return (Silent(silent=kinds, after=self.horizon),) if self.silence else (Cancelled(cancelled=kinds),)
        return tuple(
            way.model_copy(update={"after": self.horizon}) if isinstance(way, Silent) and way.after is None else way
            for way in self.any
        )

    @property
    def ending(self) -> frozenset[str]:
        """Kinds of events by which a customer cancels."""
        return frozenset(kind for way in self.ways if isinstance(way, Cancelled) for kind in way.cancelled)

    @property
    def alive(self) -> frozenset[str]:
        """Kinds of events whose silence means that a customer is lost."""
        return frozenset(kind for way in self.ways if isinstance(way, Silent) for kind in way.silent)

    @property
    def only_silence(self) -> bool:
        """Whether to be lost is to be silent for the whole horizon, and nothing else."""
        return all(isinstance(way, Silent) and way.after == self.horizon for way in self.ways) and len(self.ways) == 1

    @property
    def words(self) -> str:
        """What losing a customer means, for people: `subscription.cancelled, or no usage.tracked for 30 days`."""
        return ", or ".join(_short(way, self.horizon).words for way in self.ways)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if not math.isfinite(self.horizon) or not math.isfinite(self.every):
            raise ValueError("outcome: horizon and every must end some day")
        if self.horizon > MOST_PENDING * self.every:
            raise ValueError(f"outcome: at most {MOST_PENDING} snapshots can wait at once; make `every` longer")
        if bool(self.kinds) == bool(self.any):
            raise ValueError("outcome: say what losing a customer means with `kinds` or with `any`, one of them")
        if self.silence and self.any:
            raise ValueError("outcome: `silence` says something of `kinds`; of `any` it is `silent: [KIND]`")
        for way in self.any:
            if isinstance(way, Silent) and (way.after or 0.0) > self.horizon:
                raise ValueError("outcome: a silence longer than the horizon has begun before anything is predicted")
            if isinstance(way, NotRenewed) and way.grace > self.horizon:
                raise ValueError("outcome: a grace longer than the horizon: whoever is lost then is late already")
        return self

    def named(self) -> Iterator[tuple[str, str]]:
        """Every measure it names, and as what."""
        for way in self.any:
            if isinstance(way, NotRenewed):
                yield "not_renewed", way.not_renewed
            elif isinstance(way, Contraction):
                yield "contraction", way.contraction


class Expansion(Data):
    """What it means that a customer pays more: at the end of the horizon a number stands by a share higher, or more."""

    measure: str = Field(description="that stands until an event changes it: entities (sum, open), last or gauge")
    by: Share = Field(0.1, le=100, description="`10%`")
    base_rate: float = Field(0.05, gt=0, lt=1, description="share that grows within the horizon before it is known")

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.measure} up by {percent(self.by)} or more"

    def grown(self, was: Floats, now: Floats) -> Floats:
        """(n,) 1 where it grew so much, 0 where not; NaN where there was nothing that could."""
        return np.where(was > 0.0, (now >= was * (1.0 + self.by) * (1.0 - HAIR)).astype(np.float64), np.nan)


def _short(way: Way, horizon: float) -> Way:
    """A silence that lasts for the whole horizon need not say so."""
    if isinstance(way, Silent) and way.after == horizon:
        return way.model_copy(update={"after": None})
    return way
