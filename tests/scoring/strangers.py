"""Experts of plugins for tests: one that behaves, and all the ways in which another may not."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import numpy as np

from hub.registry import Offered
from hub.sdk.experts import MOST_STATE
from hub.sealing import Seal
from scoring.experts.guests import Panel

KEY = "k" * 32


class Tally:
    """How often those were lost who look alike in one measure: the last plain column there is."""

    name = "tally"

    def __init__(self, seed: int, state: bytes | None = None) -> None:
        self.kept: dict[str, list[float]] = json.loads(state) if state else {}

    def learn(self, names, features, lost, weight) -> None:
        for place, end in zip(self._bins(names, features), lost.tolist(), strict=True):
            seen = self.kept.setdefault(place, [0.0, 0.0])
            seen[0] += weight
            seen[1] += weight * end

    def say(self, names, features):
        return [self._odds(*self.kept.get(place, (0.0, 0.0))) for place in self._bins(names, features)]

    def state(self) -> bytes:
        return json.dumps(self.kept, sort_keys=True).encode()

    def _odds(self, seen: float, lost: float) -> float:
        return math.log((lost + 0.1) / (seen - lost + 0.1)) if seen else math.nan

    def _bins(self, names, features) -> list[str]:
        place = names.index("nps") if "nps" in names else 0
        return [f"{value:.0f}" for value in (features[:, place] if features.shape[1] else np.zeros(len(features)))]


class Hanging(Tally):
    name = "hanging"

    def say(self, names, features):
        while True:
            pass


class Waiting(Tally):
    name = "waiting"

    def learn(self, names, features, lost, weight):
        time.sleep(3600)


class Raising(Tally):
    name = "raising"

    def say(self, names, features):
        raise ValueError("I have never seen such customers")


class Unlearned(Tally):
    name = "unlearned"

    def learn(self, names, features, lost, weight):
        raise KeyError("logins")


class Quitting(Tally):
    name = "quitting"

    def say(self, names, features):
        raise SystemExit(3)


class Infinite(Tally):
    name = "infinite"

    def say(self, names, features):
        return np.full(len(features), np.inf)


class Short(Tally):
    name = "short"

    def say(self, names, features):
        return [0.0]


class Wordy(Tally):
    name = "wordy"

    def say(self, names, features):
        return ["likely"] * len(features)


class Silent(Tally):
    name = "silent"

    def say(self, names, features):
        return np.full(len(features), np.nan)


class Scribbling(Tally):
    name = "scribbling"

    def say(self, names, features):
        features[:] = 0.0
        return np.zeros(len(features))


class Vast(Tally):
    name = "vast"

    def state(self):
        return b" " * (MOST_STATE + 1)


class Stateless(Tally):
    name = "stateless"

    def state(self) -> Any:
        return "{}"


class Stubborn(Tally):
    name = "stubborn"

    def __init__(self, seed, state=None):
        if state is not None:
            raise RuntimeError("I do not read what I wrote")
        super().__init__(seed)


def panel(*kinds: Any, key: str | None = KEY, patience: float = 3.0) -> Panel:
    offered = [Offered(kind, "acme", "acme-expert 1.0.0") for kind in kinds]
    return Panel(offered, Seal(lambda: [] if key is None else [key]), patience)
