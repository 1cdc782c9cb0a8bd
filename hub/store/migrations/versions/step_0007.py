"""A prediction remembers of which segment its customer was."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column
from sqlalchemy import Text as _Text

revision = "0007"
down_revision = "0006"

Text = _Text().with_variant(_Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Columns that programs of before leave empty."""
    op.add_column("snapshots", Column("segment", Text))
    op.add_column("labels", Column("segment", Text))
