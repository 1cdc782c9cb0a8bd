"""Backtests that are asked for on a page, and what came of them."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double
from sqlalchemy import String as _String
from sqlalchemy import Text as _Text

revision = "0011"
down_revision = "0010"

String = _String().with_variant(_String(collation="C"), "postgresql")
Text = _Text().with_variant(_Text(collation="C"), "postgresql")


def upgrade() -> None:
    """A table that programs of before do not know of."""
    op.create_table(
        "backtests",
        Column("id", String, primary_key=True),
        Column("at", Double, nullable=False),
        Column("asked", Text, nullable=False),
        Column("state", String, nullable=False),
        Column("progress", Text, nullable=False),
        Column("beat_at", Double, nullable=False),
        Column("found", Text),
    )
