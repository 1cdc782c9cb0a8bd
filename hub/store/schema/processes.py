"""What many processes share."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, Table

from hub.store.schema.base import String, Text, metadata

bases = Table(
    "bases",
    metadata,
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("base", BigInteger, nullable=False, comment="what our offsets are ahead of a topic's that began anew"),
)
counters = Table(
    "counters",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False, comment="what the doors counted, where the log cannot keep it"),
)
backtests = Table(
    "backtests",
    metadata,
    Column("id", String, primary_key=True),
    Column("at", Double, nullable=False),
    Column("asked", Text, nullable=False, comment="JSON: the draft, since when, how often"),
    Column("state", String, nullable=False, comment="waiting · running · done · failed · canceled"),
    Column("progress", Text, nullable=False, comment="JSON: which step has done how much; empty before"),
    Column("beat_at", Double, nullable=False, comment="last sign of life of the process that runs it"),
    Column("found", Text, comment="JSON of what came of it, or why it failed"),
)
leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True, comment="deliver:<sink> · housekeeping"),
    Column("holder", String, nullable=False, comment="of table processes"),
    Column("token", BigInteger, nullable=False, comment="one more with every new holder; the fence"),
    Column("until", Double, nullable=False, comment="by the database's clock"),
)
processes = Table(
    "processes",
    metadata,
    Column("id", String, primary_key=True, comment="host:pid:start"),
    Column("role", String, nullable=False, comment="up · web · worker · learner"),
    Column("version", String, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("beat_at", Double, nullable=False, index=True),
    Column("state", Text, nullable=False, comment="JSON: rooms, their partitions, why one failed, where probes answer"),
)
