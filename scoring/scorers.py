"""The scorers of the last few model versions, so that a prediction uses only what was known at its time."""

from __future__ import annotations

import math
from typing import Final

from sqlalchemy import Connection, select

from hub.store import schema
from hub.store.question import Answer, Question
from scoring.config import Config
from scoring.experts.guests import Panel
from scoring.model import DRAFT, Model, decode
from scoring.parts import Shape
from scoring.scorer import Scorer

_KEPT: Final = 12
_MODELS: Final = schema.models
_NEWEST: Final = Question(
    select(_MODELS.c.version, _MODELS.c.trained_through)
    .where(_MODELS.c.version > DRAFT)
    .order_by(_MODELS.c.version.desc())
    .limit(64)
)


class Scorers:
    """Scorers by model version; 0 is the scorecard before any model.

    Args:
        config: what they score with.
        panel: experts of plugins.
    """

    def __init__(self, config: Config, panel: Panel | None = None) -> None:
        self._config = config
        self.panel = panel
        self._kept: dict[int, Scorer] = {DRAFT: Scorer(config, None, panel)}
        self._through: list[tuple[int, float]] = []
        self._handed: dict[int, float] = {}
        self.names = self._kept[DRAFT].names
        self.shape = Shape(self.names, self._kept[DRAFT].dimensions, len(config.measures))

    def ask(self, connection: Connection) -> Answer:
        """Which versions there are now."""
        return _NEWEST.ask(connection)

    def refresh(self, answer: Answer) -> None:
        """Take in what was asked."""
        found = {row.version: row.trained_through for row in answer()}
        self._through = sorted((self._handed | found).items(), reverse=True)

    def use(self, model: Model) -> None:
        """Take a version that is not in the table (yet)."""
        self._keep(model.version, Scorer(self._config, model, self.panel))
        self._handed = {model.version: model.through}
        self._through = sorted((dict(self._through) | self._handed).items(), reverse=True)

    def newest(self, through: float = math.inf) -> int:
        """The newest version that knows nothing of what was after `through`."""
        return next((version for version, trained in self._through if trained <= through), DRAFT)

    @property
    def plain(self) -> Scorer:
        """The scorecard before any model."""
        return self._kept[DRAFT]

    def at(self, connection: Connection, version: int) -> Scorer | None:
        """The scorer of a version; None if it is known neither here nor in the table (any more)."""
        if version in self._kept:
            self._kept[version] = self._kept.pop(version)  # the last used is the last to go
        else:
            body = connection.scalar(select(_MODELS.c.body).where(_MODELS.c.version == version))
            if body is None:
                return None
            self._keep(version, Scorer(self._config, decode(body), self.panel))
        return self._kept[version]

    def _keep(self, version: int, scorer: Scorer) -> None:
        self._kept[version] = scorer
        unused = [kept for kept in self._kept if kept not in (DRAFT, version)]
        for old in unused[: max(0, len(self._kept) - _KEPT)]:
            del self._kept[old]
