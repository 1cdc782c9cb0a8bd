"""The ledger keeps every part of a health, so that what moved between any two moments adds up to the last digit."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, LargeBinary

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """A column that programs of before leave empty."""
    op.add_column("ledger", Column("parts", LargeBinary))
