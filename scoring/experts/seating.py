"""Who sits in the mixture beside our own experts: those that the installed plugins offer."""

from __future__ import annotations

from typing import Final

from hub.registry import Registry
from hub.sealing import Seal
from scoring.experts.guests import Panel
from scoring.lessons import MIX
from scoring.model import EXPERTS, HALFWAY, HAZARD

OURS: Final = frozenset({*EXPERTS, HAZARD, MIX, HALFWAY})
"""Names that no plugin's expert can have."""


def seated(registry: Registry, seal: Seal) -> Panel | None:
    """The experts of plugins; None where no plugin has any, which costs nothing.

    Args:
        registry: the plugins; what is wrong with an expert becomes its plugin's problem.
        seal: vouches for what they learned.
    """
    offered = registry.experts(OURS)
    return Panel(offered, seal) if offered else None
