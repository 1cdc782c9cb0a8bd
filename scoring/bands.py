"""From risk to health, and from health to a band.

Health compares a customer with the base rate: `health / (100 - health) = 7/3 * (odds of staying / base odds of
staying)`. Whoever stands at the base rate has 70, whatever that rate is (100 times the chance of staying would put
everyone at 98 where 2 % leave); odds of leaving twice the usual mean 54, four times 37, half of them 82.
"""

from __future__ import annotations

import math
from typing import Final, get_args

import numpy as np

from hub import Band, ConfigError
from scoring.arrays import Codes, Floats, expit
from scoring.config import Scorecard

AT_BASE: Final = 70.0
_ANCHOR: Final = math.log(AT_BASE / (100.0 - AT_BASE))
BANDS: Final[tuple[Band, ...]] = get_args(Band)
"""Best first; a band's code is its place here."""
NO_BAND: Final = -1
LEFT: Final = BANDS.index("left")


def health(above_base: Floats) -> Floats:
    """Health, 0 to 100, of customers whose log odds of leaving are so much above those of the base rate.

    >>> health(np.array([0.0, math.log(2), -math.log(2)])).round(1).tolist()
    [70.0, 53.8, 82.4]
    """
    return 100.0 * expit(_ANCHOR - above_base)


def slope(at: float) -> float:
    """Health points that one more unit of log odds of leaving costs, at this health; negative."""
    return -at * (1.0 - at / 100.0)


def borders(scorecard: Scorecard) -> Floats:
    """Healths at which `watch`, `steady` and `thriving` begin.

    Raises:
        ConfigError: one is missing, or they do not ascend.
    """
    found = [scorecard.bands.get("watch"), scorecard.bands.get("steady"), scorecard.bands.get("thriving")]
    known = [border for border in found if border is not None]
    if len(known) < len(found) or known != sorted(set(known)):
        raise ConfigError("scorecard: bands needs watch < steady < thriving")
    return np.array(known)


def bands(healths: Floats, was: Codes, borders: Floats, hysteresis: float) -> Codes:
    """Codes of bands; a band is left only when health is `hysteresis` points beyond its border.

    Args:
        healths: (n,), 0 to 100.
        was: (n,) codes before, `NO_BAND` where there was none. `LEFT` is not given here: health does not say it.
        borders: as `borders` gives them.
        hysteresis: points, 0 or more.
    """
    best, worst, plain = (
        len(borders) - np.searchsorted(borders, healths + leeway, side="right")
        for leeway in (hysteresis, -hysteresis, 0.0)
    )
    fresh = (was == NO_BAND) | (was == LEFT)
    return np.where(fresh, plain, np.clip(was, best, worst)).astype(np.int8)
