"""Where a demo stands, so that one that was interrupted goes on where it stopped."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from hub.demo.world import DAY, World, midnight
from hub.sdk.errors import ConfigError
from hub.sdk.events import Event


class Story(msgspec.Struct):
    """The parts of a demo that outlive its process.

    Attributes:
        start: the first day of the history.
        days: how long it is.
        seed: of all chance in the world.
        told: days of it the hub has taken; 0 is the founding.
    """

    start: datetime
    days: int
    seed: int = 7
    told: int = -1

    @classmethod
    def open(cls, path: Path, now: datetime, days: int) -> Story:
        """Read the story of this data folder, or begin one.

        Raises:
            ConfigError: the file is not ours.
        """
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return cls(start=midnight(days, now), days=days)
        except (OSError, msgspec.MsgspecError) as error:
            raise ConfigError(f"{path} cannot be read ({error}); remove it to begin a new demo") from None

    def save(self, path: Path) -> None:
        """Keep it, whole or not at all."""
        beside = path.with_suffix(".tmp")
        beside.write_bytes(msgspec.json.encode(self))
        beside.replace(path)

    def chapter(self, world: World, day: int) -> list[Event]:
        """What happened on a day; on day 0 all that was there before it began."""
        return list(world.founding()) if day == 0 else world.day(self.start + (day - 1) * DAY)
