"""Half the horizon teaches, too: when half of a snapshot's has passed, and which of those labels were taught."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double
from sqlalchemy import String as _String

revision = "0006"
down_revision = "0005"

String = _String().with_variant(_String(collation="C"), "postgresql")


def upgrade() -> None:
    """A column that programs of before leave empty, and a table that they do not know of."""
    op.add_column("snapshots", Column("half_due", Double))
    op.create_index("snapshots_half_due", "snapshots", ["partition", "half_due"])
    op.create_table(
        "early_labels",
        Column("account", String, primary_key=True),
        Column("at", Double, primary_key=True),
        Column("matured_at", Double, nullable=False),
    )
    op.create_index("early_labels_by_maturity", "early_labels", ["matured_at"])
