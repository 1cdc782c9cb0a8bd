"""What was proposed to do about customers, with which chance, and what came of it."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double
from sqlalchemy import String as _String
from sqlalchemy import Text as _Text

revision = "0010"
down_revision = "0009"

String = _String().with_variant(_String(collation="C"), "postgresql")
Text = _Text().with_variant(_Text(collation="C"), "postgresql")


def upgrade() -> None:
    """A table that no program of before knows of."""
    op.create_table(
        "proposals",
        Column("account", String, primary_key=True),
        Column("at", Double, primary_key=True),
        Column("due", Double, nullable=False),
        Column("reward", Double),
        Column("body", Text, nullable=False),
    )
    op.create_index("proposals_by_time", "proposals", ["at"])
