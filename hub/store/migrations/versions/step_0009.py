"""Who pays more: the chance that each account has of it, and what became of the chances of before."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double, Integer
from sqlalchemy import String as _String

revision = "0009"
down_revision = "0008"

String = _String().with_variant(_String(collation="C"), "postgresql")


def upgrade() -> None:
    """A column that programs of before leave empty, and a table that they do not know of."""
    op.add_column("accounts", Column("expansion", Double))
    op.create_table(
        "expansions",
        Column("account", String, primary_key=True),
        Column("at", Double, primary_key=True),
        Column("matured_at", Double, nullable=False),
        Column("grown", Integer, nullable=False),
        Column("chance", Double),
    )
    op.create_index("ix_expansions_matured_at", "expansions", ["matured_at"])
