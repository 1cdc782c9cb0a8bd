"""What happened, and to whom."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, Table

from hub.store.schema.base import RACED, String, Text, metadata

seen = Table(
    "seen",
    metadata,
    Column("digest", LargeBinary(16), primary_key=True, comment="blake2b-128 of connection NUL event id"),
    Column("forget", Integer, nullable=False, comment="unix day after which it may be forgotten; 0 never"),
    sqlite_with_rowid=False,
    info=RACED,
)
archive = Table(
    "archive",
    metadata,
    Column("row", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("account", String, nullable=False),
    Column("occurred_at", Double, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("kind", String, nullable=False),
    Column("connection", String, nullable=False),
    Column("event", String, nullable=False, comment="the event's id"),
    Column("body", LargeBinary, nullable=False, comment="the Event as JSON, with the vendor's own references"),
    Index("archive_by_account", "account", "occurred_at"),
)
heard = Table(
    "heard",
    metadata,
    Column("connection", String, primary_key=True),
    Column("at", Double, nullable=False, comment="when anything last came from it, to the minute"),
    Column("gap", Double, comment="seconds usual between days on which it was heard; None: on one day only"),
)
links = Table(
    "links",
    metadata,
    Column("reference", String, primary_key=True),
    Column("account", String, nullable=False, index=True),
    Column("how", String, nullable=False, comment="record · key · domain · person · merge"),
    Column("at", Double, nullable=False),
    Column("origin", String, index=True, comment="the account it led to before a merge; None: it was not redirected"),
    info=RACED,
)
merges = Table(
    "merges",
    metadata,
    Column("absorbed", String, primary_key=True),
    Column("survivor", String, nullable=False, index=True),
    Column("at", Double, nullable=False),
    Column("why", Text, nullable=False),
)
