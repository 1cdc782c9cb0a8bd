"""How each measure was folded, as a version of its own: a row says which versions it holds.

What counts, and how it is kept, makes the version; what a measure is called in words or weighs does not. A row whose
versions are not today's is behind: what lacks is folded anew from the archive (`scoring.restating`) before anybody is
judged by it.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import Connection, select

from hub.store import schema
from hub.store.upserts import insert
from scoring.config import Config, Measure
from scoring.families.outcome import OUTCOME
from scoring.families.segments import FIELD as SEGMENT

BEFORE: Final = 0
"""What rows say that were written before there were versions: those of the configuration in use then."""
NOTHING: Final = 1
"""What a row says of which nothing is known."""
Folds = Mapping[str, str]
_META: Final = schema.meta.c
_KEY: Final = "folds:{:08x}"
_READ: Final = frozenset(
    ["name", "dimension", "zero", "label", "unit", "actionable", "short", "long", "top", "bottom", "stale_after"]
)
"""What only matters when a measure is read."""
_KEPT_ELSEWHERE: Final = frozenset(["ratio"])
"""Families that keep nothing in the row."""


def folds(config: Config) -> dict[str, str]:
    """Measure -> version of its fold; and that of the outcome."""
    by_name = {measure.name: measure for measure in config.measures}
    found = {m.name: fold_of(m, by_name) for m in config.measures if m.family not in _KEPT_ELSEWHERE}
    outcome = config.scorecard.outcome
    if cards := config.scorecard.cards:
        found[SEGMENT] = _named([card.when for card in cards])
    said: Any = sorted(outcome.kinds)
    if outcome.any:
        said = [[way.model_dump(mode="json") for way in outcome.ways], [found[name] for _, name in outcome.named()]]
    if (more := config.scorecard.expansion) is not None:
        said = [said, more.measure, found[more.measure]]
    return found | {OUTCOME: _named([said, sorted(outcome.back), outcome.horizon, outcome.every])}


def fold_of(measure: Measure, by_name: Mapping[str, Measure]) -> str:
    """The version of a measure's fold, 8 hex digits."""
    said: dict[str, Any] = {
        name: value for name, value in measure.model_dump(mode="json").items() if name not in _READ and value
    }
    if measure.family not in ("entities", "gauge"):
        said.pop("direction", None)
    if measure.family == "active_days":
        said["bits"] = True  # it was a ring of dates once, which rows of then still hold
    if measure.stale_after is not None:
        said["stale_after"] = True  # whether it is kept when it was heard of; the limit is read
    if (source := by_name.get(measure.long or "")) is not None:
        said["kinds"], said["where"] = source.model_dump(mode="json")["kinds"], source.where
    return _named(said)


def number(of: Folds) -> int:
    """What a row says of them: 32 bits."""
    return max(NOTHING + 1, zlib.crc32(json.dumps(of, sort_keys=True).encode()))


def remember(connection: Connection, config: Config) -> None:
    """Keep what a number means; and, once, what rows of before there were any hold.

    Call it before the configuration itself is remembered.
    """
    ours = folds(config)
    if connection.scalar(select(_META.key).where(_META.key == _KEY.format(BEFORE))) is None:
        _keep(connection, BEFORE, _last(connection) if _last(connection) is not None else ours)
    _keep(connection, number(ours), ours)


def lacking(connection: Connection, said: int, ours: Folds) -> frozenset[str]:
    """What of ours a row that says this number does not hold."""
    if said == number(ours):
        return frozenset()
    held = {} if said == NOTHING else _held(connection, said)
    return frozenset(name for name, version in ours.items() if held.get(name) != version)


def _held(connection: Connection, said: int) -> Folds:
    found = connection.scalar(select(_META.value).where(_META.key == _KEY.format(said)))
    if found is None:  # nobody has scored since there are versions: whoever only looks must not remember for them
        return (_last(connection) or {}) if said == BEFORE else {}
    held: Folds = json.loads(found)
    return held


def _last(connection: Connection) -> Folds | None:
    """Of the configuration that was in use last; None: there was none, or nobody can read it any more."""
    configs = schema.configs.c
    body = connection.scalar(select(configs.body).order_by(configs.at.desc()).limit(1))
    try:
        return None if body is None else folds(Config.model_validate_json(body))
    except ValidationError:
        return {}


def _keep(connection: Connection, said: int, of: Folds | None) -> None:
    row = {"key": _KEY.format(said), "value": json.dumps(of or {}, sort_keys=True)}
    connection.execute(insert(schema.meta).values(row).on_conflict_do_nothing())  # workers may start together


def _named(said: Any) -> str:
    written = json.dumps(said, sort_keys=True, default=str)
    return hashlib.blake2b(written.encode(), digest_size=4).hexdigest()
