"""Many processes: bases of the log, counters of the doors, leases, heartbeats."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Integer
from sqlalchemy import String as _String
from sqlalchemy import Text as _Text

revision = "0002"
down_revision = "0001"

String = _String().with_variant(_String(collation="C"), "postgresql")
Text = _Text().with_variant(_Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Tables that no program of before knows of."""
    op.create_table(
        "bases",
        Column("topic", String, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("base", BigInteger, nullable=False),
    )
    op.create_table(
        "counters",
        Column("name", String, primary_key=True),
        Column("value", BigInteger, nullable=False),
    )
    op.create_table(
        "leases",
        Column("name", String, primary_key=True),
        Column("holder", String, nullable=False),
        Column("token", BigInteger, nullable=False),
        Column("until", Double, nullable=False),
    )
    op.create_table(
        "processes",
        Column("id", String, primary_key=True),
        Column("role", String, nullable=False),
        Column("version", String, nullable=False),
        Column("started_at", Double, nullable=False),
        Column("beat_at", Double, nullable=False),
        Column("state", Text, nullable=False),
    )
    op.create_index("ix_processes_beat_at", "processes", ["beat_at"])
