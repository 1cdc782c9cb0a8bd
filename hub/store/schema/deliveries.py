"""What left, and what could not."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, Table

from hub.store.schema.base import String, Text, metadata

desired = Table(
    "desired",
    metadata,
    Column("sink", String, primary_key=True),
    Column("account", String, primary_key=True),
    Column("sequence", BigInteger, nullable=False, comment="sequence of the health it was taken from"),
    Column("target", String, comment="None: the account does not live there"),
    Column("fields", Text, nullable=False, comment="JSON wanted"),
    Column("shown", Text, comment="JSON last accepted by the destination"),
    Column("shown_at", Double),
    Column("pushing", Text, comment="JSON on its way, or of a push whose end we never learned"),
    Column("pushed_at", Double, comment="when the last push began"),
    Column("state", String, nullable=False, comment="due · pending · shown · rejected · absent"),
    Column("job", String),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Double, nullable=False, default=0),
    Column("reason", Text),
    Index("desired_due", "sink", "state", "next_at"),
)
alerts = Table(
    "alerts",
    metadata,
    Column("sink", String, primary_key=True),
    Column("key", String, primary_key=True, comment="idempotency key"),
    Column("account", String, nullable=False, index=True),
    Column("target", String, nullable=False),
    Column("body", Text, nullable=False, comment="JSON of the alert's parts and its health"),
    Column("pushed_at", Double, comment="when the last push began"),
    Column("state", String, nullable=False, comment="due · pending · sent · rejected"),
    Column("job", String),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Double, nullable=False, default=0),
    Column("at", Double, nullable=False),
    Column("reason", Text),
    Index("alerts_due", "sink", "state", "next_at"),
)
receipts = Table(
    "receipts",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Double, nullable=False, index=True),
    Column("sink", String, nullable=False),
    Column("account", String, nullable=False),
    Column("key", String, nullable=False),
    Column("outcome", String, nullable=False, comment="ok · retry · reject · pending"),
    Column("reason", Text),
    Column("attempt", Integer, nullable=False),
    Column("took", Double, nullable=False, comment="seconds of the call"),
    Column("fields", Text, nullable=False, comment="JSON of what was written"),
    Index("receipts_by_account", "account", "at"),
)
destinations = Table(
    "destinations",
    metadata,
    Column("sink", String, primary_key=True),
    Column("paused", Integer, nullable=False, default=0),
    Column("reason", Text),
    Column("open_until", Double, nullable=False, default=0, comment="the breaker lets nothing through until then"),
    Column("failures", Integer, nullable=False, default=0),
    Column("ok_at", Double, comment="when it last took something"),
)
warned = Table(
    "warned",
    metadata,
    Column("account", String, primary_key=True),
    Column("at", Double, comment="when people were last told that it fell; None: never"),
    Column("health", Double, comment="what it had fallen to then"),
    Column("open", Integer, nullable=False, comment="1: they believe it is at risk"),
    Column("held_since", Double, comment="when it fell again within the quiet period, which nobody was told yet"),
)
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", String, primary_key=True, comment="from where it was: made of facts, so a repeat is one row"),
    Column("at", Double, nullable=False, index=True),
    Column("stage", String, nullable=False, comment="normalize · apply · deliver"),
    Column("connection", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("version", String, nullable=False, comment="of the plugin that could not"),
    Column("context", Text, nullable=False, comment="JSON: path, headers, topic, partition, offset, account, sink"),
    Column("body", LargeBinary, nullable=False),
    Column("state", String, nullable=False, comment="open · replayed"),
)
