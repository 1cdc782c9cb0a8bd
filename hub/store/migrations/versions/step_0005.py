"""When each source was last heard, so that its silence is not taken for that of its customers."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double
from sqlalchemy import String as _String

revision = "0005"
down_revision = "0004"

String = _String().with_variant(_String(collation="C"), "postgresql")


def upgrade() -> None:
    """A table that no program of before knows of."""
    op.create_table(
        "heard",
        Column("connection", String, primary_key=True),
        Column("at", Double, nullable=False),
        Column("gap", Double),
    )
