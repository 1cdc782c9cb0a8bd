"""What one process of an installation does; all of it, unless it is told otherwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from hub.sdk.errors import ConfigError
from hub.streams import topics

SCORING, SUCCESS, SINKS, INGEST, LEARNER = "scoring", "success", "sinks", "ingest", "learner"
ROOMS: Final = (SCORING, SUCCESS, SINKS, INGEST, LEARNER)
"""Names of the Faust apps; each is a consumer group of its own, whose partitions its processes divide."""
READS: Final[Mapping[str, str]] = {
    "scoring.rescore": topics.EVENTS.name,
    "scoring.learn": topics.LABELS.name,
    "success.alerts": topics.HEALTH.name,
    "sinks.fields": topics.HEALTH.name,
    "sinks.alerts": topics.ACTIONS.name,
    "ingest.dead_letters": topics.DEAD_LETTERS.name,
}
"""Every room there is, and the topic it reads: what has to run somewhere, also where nothing has begun yet."""


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of process.

    Attributes:
        name: `up`, `web`, `worker`, `learner`.
        rooms: whose agents run in it; with `sinks`, deliveries too.
        faces: whether door and pages answer in it.
    """

    name: str
    rooms: frozenset[str]
    faces: bool


UP: Final = Role("up", frozenset(ROOMS), faces=True)
WEB: Final = Role("web", frozenset(), faces=True)
LEARN: Final = Role("learner", frozenset({LEARNER}), faces=False)
AGENTS: Final = ",".join(room for room in ROOMS if room != LEARNER)
"""What a worker runs unless it is told."""


def worker(rooms: Collection[str]) -> Role:
    """A process of agents.

    Raises:
        ConfigError: there is no such room, or none is named.
    """
    unknown = sorted(set(rooms) - set(ROOMS))
    if unknown or not rooms:
        raise ConfigError(f"no room is called {', '.join(unknown) or 'nothing'}; there are {', '.join(ROOMS)}")
    return Role("worker", frozenset(rooms), faces=False)
