"""The scorers of the last few model versions, so that a prediction uses only what was known at its time."""

from __future__ import annotations

import math
from typing import Final

from sqlalchemy import Connection, select

from hub.store import schema
from scoring.config import Config
from scoring.model import DRAFT, Model, decode
from scoring.scorer import Scorer

_KEPT: Final = 12
_MODELS: Final = schema.models
_NEWEST: Final = (
    select(_MODELS.c.version, _MODELS.c.trained_through)
    .where(_MODELS.c.version > DRAFT)
    .order_by(_MODELS.c.version.desc())
    .limit(64)
)


class Scorers:
    """Scorers by model version; 0 is the scorecard before any model.

    Args:
        config: what they score with.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._kept: dict[int, Scorer] = {DRAFT: Scorer(config, None)}
        self._through: list[tuple[int, float]] = []
        self.names = self._kept[DRAFT].names

    def refresh(self, connection: Connection) -> None:
        """See which versions there are now."""
        self._through = [(row.version, row.trained_through) for row in connection.execute(_NEWEST)]

    def use(self, model: Model) -> None:
        """Take a version that is not in the table (yet)."""
        self._keep(model.version, Scorer(self._config, model))
        self._through = sorted({*self._through, (model.version, model.trained_through)}, reverse=True)

    def newest(self, through: float = math.inf) -> int:
        """The newest version taught by nothing that matured after `through`."""
        return next((version for version, trained in self._through if trained <= through), DRAFT)

    def at(self, connection: Connection, version: int) -> Scorer | None:
        """The scorer of a version; None if it is known neither here nor in the table."""
        if version not in self._kept:
            body = connection.scalar(select(_MODELS.c.body).where(_MODELS.c.version == version))
            if body is None:
                return None
            self._keep(version, Scorer(self._config, decode(body)))
        return self._kept[version]

    def _keep(self, version: int, scorer: Scorer) -> None:
        """Keep the newest, and the one that was just asked for however old it is."""
        self._kept[version] = scorer
        for old in sorted(self._kept.keys() - {DRAFT, version})[: -(_KEPT - 1)]:
            del self._kept[old]
