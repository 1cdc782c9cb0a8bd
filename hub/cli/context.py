"""What every command starts from: the settings, and the plugins they configure."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hub import settings as reading
from hub.settings import Settings


@dataclass(slots=True)
class _Chosen:
    config: Path | None = None


_chosen = _Chosen()


def choose_config(path: Path | None) -> None:
    """Remember `--config` for this run."""
    _chosen.config = path


def load() -> tuple[Settings, dict[str, str]]:
    """Our settings, and those that plugins read.

    Raises:
        ConfigError: a setting is unknown or wrong.
    """
    return reading.load(os.environ, _chosen.config)
