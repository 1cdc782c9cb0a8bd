"""The rule of alerts over a past: whom people would have been told of, look by look."""

from __future__ import annotations

from typing import Final

from hub.sdk.health import Driver, Health
from hub.success.falls import Rules, Told, decide
from scoring.arrays import Mask
from scoring.bands import BANDS, NO_BAND
from scoring.proof.watching import Shown

_NOBODY: Final = Told()
_SOMETHING: Final = (Driver("", "", 0.0),)


class PastFalls:
    """A `scoring.proof.watching.Alarm`: one past, from its beginning on. Sources are taken to be heard.

    Args:
        rules: how loud to be.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self._rules = rules or Rules()
        self._told: dict[int, Told] = {}
        self._held: set[int] = set()

    def __call__(self, shown: Shown, news: Mask) -> list[int]:
        """Places, in `shown`, of those of whom people are told that they fell."""
        fallen = []
        accounts, health = shown.accounts.tolist(), shown.health.tolist()
        for place in news.nonzero()[0].tolist() if not self._held else range(len(accounts)):
            account = accounts[place]
            if not news[place] and account not in self._held:
                continue
            was = int(shown.was[place])
            judged = Health(
                account="",
                at=shown.at,
                health=health[place],
                band=BANDS[shown.band[place]],
                risk=0.0,
                base=0.0,
                drivers=[*_SOMETHING] if shown.spoken[place] else [],
                was_band=None if was == NO_BAND else BANDS[was],
            )
            kind, _, after = decide(judged, self._told.get(account, _NOBODY), shown.at, self._rules)
            self._told[account] = after
            (self._held.add if after.held_since is not None else self._held.discard)(account)
            if kind == "band_fell":
                fallen.append(place)
        return fallen
