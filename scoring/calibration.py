"""Platt scaling that learns online: how much an expert's opinion should be believed, and where its zero lies.

`calibrated = scale * opinion + shift`, both begun at the identity and moved by second-order steps (an online Newton
step on the log loss, as in a Kalman filter), so that fifty labels are enough and no learning rate has to be chosen.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

_MEMORY: Final = 1.0 - 1.0 / 20_000.0  # labels it averages over; older ones fade, so that it can follow


class Platt(msgspec.Struct):
    """An affine map of log odds; opinions are given relative to the base rate written in the scorecard.

    Attributes:
        scale: 0 when the expert knows nothing, 1 when it is taken at its word; never negative, since an expert that is
            always wrong is to be mended by people, not read backwards.
        shift: log odds added to all its opinions.
        ss: information about the scale; what it begins with is the trust in the identity.
        st: shared information.
        tt: information about the shift.
    """

    scale: float = 1.0
    shift: float = 0.0
    ss: float = 5.0
    st: float = 0.0
    tt: float = 5.0

    def __call__(self, opinion: float) -> float:
        """The opinion as it deserves to be taken."""
        return self.scale * opinion + self.shift

    def learn(self, opinion: float, zero: float, *, lost: bool) -> None:
        """Teach one label: `opinion` was held relative to the log odds `zero`."""
        believed = 1.0 / (1.0 + math.exp(-min(30.0, max(-30.0, zero + self(opinion)))))
        wrong, sure = believed - lost, max(believed * (1.0 - believed), 1e-3)
        self.ss = self.ss * _MEMORY + sure * opinion * opinion
        self.st = self.st * _MEMORY + sure * opinion
        self.tt = self.tt * _MEMORY + sure
        determinant = self.ss * self.tt - self.st * self.st
        if determinant > 0.0:
            self.scale = max(0.0, self.scale - wrong * (self.tt * opinion - self.st) / determinant)
            self.shift -= wrong * (self.ss - self.st * opinion) / determinant
