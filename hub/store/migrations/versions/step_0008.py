"""What customers are worth: what was learned of them together, and what each will bring."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double, Integer
from sqlalchemy import String as _String
from sqlalchemy import Text as _Text

revision = "0008"
down_revision = "0007"

String = _String().with_variant(_String(collation="C"), "postgresql")
Text = _Text().with_variant(_Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Two tables that no program of before knows of."""
    op.create_table(
        "valuations",
        Column("version", Integer, primary_key=True, autoincrement=False),
        Column("at", Double, nullable=False),
        Column("made_at", Double, nullable=False),
        Column("body", Text, nullable=False),
    )
    op.create_table(
        "worths",
        Column("account", String, primary_key=True),
        Column("currency", String, primary_key=True),
        Column("value", Double),
        Column("valuation", Integer, nullable=False),
        Column("body", Text, nullable=False),
    )
