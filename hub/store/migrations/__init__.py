"""The schema's steps, and how a database takes those it lacks. Imported only when there are any: Alembic is slow to.

A step is a file `versions/step_NNNN.py`, numbered as `schema.VERSION` is. Within a release line steps only add (tables,
indexes, columns that may be NULL or have a default), because programs of before work on beside the one that upgrades;
what they no longer could sets `schema.SPEAKS`, and belongs into a new line.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def upgrade(connection: Connection, to: int | None = None) -> None:
    """Take the steps that are missing (up to `to`, else all), in this connection's transaction."""
    command.upgrade(_config(connection), "head" if to is None else f"{to:04}")


def stamp(connection: Connection, number: int) -> None:
    """Note which step a database has that kept no record."""
    command.stamp(_config(connection), f"{number:04}")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
