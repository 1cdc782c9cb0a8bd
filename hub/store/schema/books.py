"""The stream's bookkeeping: written in the same transaction as what a batch changed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table

from hub.store.schema.base import String, Text, metadata

meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", Text, nullable=False))
offsets = Table(
    "offsets",
    metadata,
    Column("room", String, primary_key=True),
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False, comment="the first record not yet taken care of"),
    Column("applied", BigInteger, nullable=False, default=0),
    Column("duplicates", BigInteger, nullable=False, default=0),
    Column("dead_lettered", BigInteger, nullable=False, default=0),
    Column("forwarded", BigInteger, nullable=False, default=0, comment="passed on to another account's partition"),
    Column("epoch", BigInteger, nullable=False, default=0, comment="whoever claimed the partition last; the fence"),
)
sequences = Table(
    "sequences",
    metadata,
    Column("room", String, primary_key=True),
    Column("topic", String, primary_key=True),
    Column("producer", String, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False, comment="the newest message of that producer this room has applied"),
)
outlets = Table(
    "outlets",
    metadata,
    Column("room", String, primary_key=True),
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False, default=1, comment="the next sequence to give"),
    Column("published", BigInteger, nullable=False, default=0, comment="all up to here are in the log"),
)
outgoing = Table(
    "outgoing",
    metadata,
    Column("room", String, primary_key=True),
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
