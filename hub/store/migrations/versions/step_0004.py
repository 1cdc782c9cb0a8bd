"""What people say the health of a customer is: each word with its author, its reason and its end."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double
from sqlalchemy import String as _String
from sqlalchemy import Text as _Text

revision = "0004"
down_revision = "0003"

String = _String().with_variant(_String(collation="C"), "postgresql")
Text = _Text().with_variant(_Text(collation="C"), "postgresql")


def upgrade() -> None:
    """A table that no program of before knows of."""
    op.create_table(
        "overrides",
        Column("event", String, primary_key=True),
        Column("account", String, nullable=False),
        Column("at", Double, nullable=False),
        Column("until", Double, nullable=False),
        Column("health", Double),
        Column("author", Text, nullable=False),
        Column("reason", Text, nullable=False),
    )
    op.create_index("overrides_by_account", "overrides", ["account", "at"])
