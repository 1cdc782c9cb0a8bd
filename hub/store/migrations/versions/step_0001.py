"""The schema of release 0.1.0, which knew SQLite alone and kept no record of steps."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, text
from sqlalchemy import String as _String
from sqlalchemy import Text as _Text

revision = "0001"
down_revision = None

Serial = BigInteger().with_variant(Integer, "sqlite")
String = _String().with_variant(_String(collation="C"), "postgresql")
Text = _Text().with_variant(_Text(collation="C"), "postgresql")
_OPEN = text("open_since IS NOT NULL")


def upgrade() -> None:
    """All of its tables."""
    op.create_table(
        "meta",
        Column("key", String, primary_key=True),
        Column("value", Text, nullable=False),
    )
    op.create_table(
        "offsets",
        Column("room", String, primary_key=True),
        Column("topic", String, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("next", BigInteger, nullable=False),
        Column("applied", BigInteger, nullable=False),
        Column("duplicates", BigInteger, nullable=False),
        Column("dead_lettered", BigInteger, nullable=False),
        Column("forwarded", BigInteger, nullable=False),
        Column("epoch", BigInteger, nullable=False),
    )
    op.create_table(
        "sequences",
        Column("room", String, primary_key=True),
        Column("topic", String, primary_key=True),
        Column("producer", String, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("last", BigInteger, nullable=False),
    )
    op.create_table(
        "outlets",
        Column("room", String, primary_key=True),
        Column("topic", String, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("next", BigInteger, nullable=False),
        Column("published", BigInteger, nullable=False),
    )
    op.create_table(
        "outgoing",
        Column("room", String, primary_key=True),
        Column("topic", String, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("sequence", BigInteger, primary_key=True, autoincrement=False),
        Column("key", LargeBinary),
        Column("value", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "seen",
        Column("digest", LargeBinary(16), primary_key=True),
        Column("forget", Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "archive",
        Column("row", Serial, primary_key=True),
        Column("account", String, nullable=False),
        Column("occurred_at", Double, nullable=False),
        Column("received_at", Double, nullable=False),
        Column("kind", String, nullable=False),
        Column("connection", String, nullable=False),
        Column("event", String, nullable=False),
        Column("body", LargeBinary, nullable=False),
    )
    op.create_index("archive_by_account", "archive", ["account", "occurred_at"])
    op.create_table(
        "links",
        Column("reference", String, primary_key=True),
        Column("account", String, nullable=False),
        Column("how", String, nullable=False),
        Column("at", Double, nullable=False),
        Column("origin", String),
    )
    op.create_index("ix_links_account", "links", ["account"])
    op.create_index("ix_links_origin", "links", ["origin"])
    op.create_table(
        "merges",
        Column("absorbed", String, primary_key=True),
        Column("survivor", String, nullable=False),
        Column("at", Double, nullable=False),
        Column("why", Text, nullable=False),
    )
    op.create_index("ix_merges_survivor", "merges", ["survivor"])
    op.create_table(
        "accounts",
        Column("id", String, primary_key=True),
        Column("partition", Integer, nullable=False),
        Column("state", LargeBinary, nullable=False),
        Column("scored_at", Double, nullable=False),
        Column("last_event_at", Double, nullable=False),
        Column("health", Double),
        Column("band", String),
        Column("risk", Double),
        Column("driver", Text),
        Column("model_version", Integer, nullable=False),
    )
    op.create_index("ix_accounts_partition", "accounts", ["partition"])
    op.create_table(
        "profiles",
        Column("account", String, primary_key=True),
        Column("name", Text),
        Column("domain", Text),
        Column("owner", Text),
        Column("owner_email", Text),
        Column("parent", String),
        Column("renewal_on", String),
        Column("mrr", Double),
        Column("currency", String),
        Column("merged_into", String),
        Column("facts", Text, nullable=False),
    )
    op.create_index("ix_profiles_parent", "profiles", ["parent"])
    op.create_table(
        "entities",
        Column("account", String, primary_key=True),
        Column("reference", String, primary_key=True),
        Column("kind", String, nullable=False),
        Column("state", LargeBinary, nullable=False),
        Column("open_since", Double),
    )
    op.create_index("entities_open", "entities", ["account"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_table(
        "contacts",
        Column("reference", String, primary_key=True),
        Column("account", String, nullable=False),
        Column("name", Text),
        Column("email", Text),
        Column("last_seen_at", Double, nullable=False),
        Column("facts", Text, nullable=False),
    )
    op.create_index("ix_contacts_account", "contacts", ["account"])
    op.create_table(
        "ledger",
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("sequence", BigInteger, primary_key=True, autoincrement=False),
        Column("account", String, nullable=False),
        Column("at", Double, nullable=False),
        Column("health", Double, nullable=False),
        Column("was", Double),
        Column("band", String, nullable=False),
        Column("was_band", String),
        Column("message", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ledger_by_account", "ledger", ["account", "at"])
    op.create_index("ledger_by_time", "ledger", ["at"])
    op.create_table(
        "snapshots",
        Column("account", String, primary_key=True),
        Column("at", Double, primary_key=True),
        Column("partition", Integer, nullable=False),
        Column("due", Double, nullable=False),
        Column("features", LargeBinary, nullable=False),
        Column("predictions", Text, nullable=False),
        Column("config_version", String, nullable=False),
        Column("model_version", Integer, nullable=False),
    )
    op.create_index("snapshots_due", "snapshots", ["partition", "due"])
    op.create_table(
        "labels",
        Column("account", String, primary_key=True),
        Column("at", Double, primary_key=True),
        Column("matured_at", Double, nullable=False),
        Column("lost", Integer, nullable=False),
        Column("predictions", Text, nullable=False),
        Column("taught", Integer, nullable=False),
    )
    op.create_index("ix_labels_matured_at", "labels", ["matured_at"])
    op.create_table(
        "models",
        Column("version", Integer, primary_key=True, autoincrement=False),
        Column("at", Double, nullable=False),
        Column("trained_through", Double, nullable=False),
        Column("config_version", String, nullable=False),
        Column("body", Text, nullable=False),
    )
    op.create_table(
        "configs",
        Column("version", String, primary_key=True),
        Column("at", Double, nullable=False),
        Column("body", Text, nullable=False),
    )
    op.create_table(
        "desired",
        Column("sink", String, primary_key=True),
        Column("account", String, primary_key=True),
        Column("sequence", BigInteger, nullable=False),
        Column("target", String),
        Column("fields", Text, nullable=False),
        Column("shown", Text),
        Column("shown_at", Double),
        Column("pushing", Text),
        Column("pushed_at", Double),
        Column("state", String, nullable=False),
        Column("job", String),
        Column("attempts", Integer, nullable=False),
        Column("next_at", Double, nullable=False),
        Column("reason", Text),
    )
    op.create_index("desired_due", "desired", ["sink", "state", "next_at"])
    op.create_table(
        "alerts",
        Column("sink", String, primary_key=True),
        Column("key", String, primary_key=True),
        Column("account", String, nullable=False),
        Column("target", String, nullable=False),
        Column("body", Text, nullable=False),
        Column("pushed_at", Double),
        Column("state", String, nullable=False),
        Column("job", String),
        Column("attempts", Integer, nullable=False),
        Column("next_at", Double, nullable=False),
        Column("at", Double, nullable=False),
        Column("reason", Text),
    )
    op.create_index("alerts_due", "alerts", ["sink", "state", "next_at"])
    op.create_index("ix_alerts_account", "alerts", ["account"])
    op.create_table(
        "receipts",
        Column("id", Serial, primary_key=True),
        Column("at", Double, nullable=False),
        Column("sink", String, nullable=False),
        Column("account", String, nullable=False),
        Column("key", String, nullable=False),
        Column("outcome", String, nullable=False),
        Column("reason", Text),
        Column("attempt", Integer, nullable=False),
        Column("took", Double, nullable=False),
        Column("fields", Text, nullable=False),
    )
    op.create_index("ix_receipts_at", "receipts", ["at"])
    op.create_index("receipts_by_account", "receipts", ["account", "at"])
    op.create_table(
        "destinations",
        Column("sink", String, primary_key=True),
        Column("paused", Integer, nullable=False),
        Column("reason", Text),
        Column("open_until", Double, nullable=False),
        Column("failures", Integer, nullable=False),
        Column("ok_at", Double),
    )
    op.create_table(
        "warned",
        Column("account", String, primary_key=True),
        Column("at", Double),
        Column("health", Double),
        Column("open", Integer, nullable=False),
        Column("held_since", Double),
    )
    op.create_table(
        "dead_letters",
        Column("id", String, primary_key=True),
        Column("at", Double, nullable=False),
        Column("stage", String, nullable=False),
        Column("connection", String, nullable=False),
        Column("reason", Text, nullable=False),
        Column("version", String, nullable=False),
        Column("context", Text, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("state", String, nullable=False),
    )
    op.create_index("ix_dead_letters_at", "dead_letters", ["at"])
