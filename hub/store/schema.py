"""The tables. The database is the truth: whatever is not here (or still in the log) is not known.

Times are unix seconds (UTC) as doubles; JSON is text or bytes as msgspec writes it; ids of accounts are ours.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, MetaData, Table, text
from sqlalchemy import String as _String
from sqlalchemy import Text as _Text

VERSION = 11  # also the number of the newest step in `hub.store.migrations`
SPEAKS = 2  # the oldest program that may still work on what this one writes; why not 1: `hub.store.versions`
metadata = MetaData()

# texts compare and sort by their bytes, as on SQLite, whatever language the server speaks
String = _String().with_variant(_String(collation="C"), "postgresql")
Text = _Text().with_variant(_Text(collation="C"), "postgresql")
_OPEN = text("open_since IS NOT NULL")

meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", Text, nullable=False))

# --- the stream's bookkeeping: written in the same transaction as what a batch changed -------------------------

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

# --- what happened, to whom ------------------------------------------------------------------------------------

seen = Table(
    "seen",
    metadata,
    Column("digest", LargeBinary(16), primary_key=True, comment="blake2b-128 of connection NUL event id"),
    Column("forget", Integer, nullable=False, comment="unix day after which it may be forgotten; 0 never"),
    sqlite_with_rowid=False,
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
)
merges = Table(
    "merges",
    metadata,
    Column("absorbed", String, primary_key=True),
    Column("survivor", String, nullable=False, index=True),
    Column("at", Double, nullable=False),
    Column("why", Text, nullable=False),
)

# --- how a customer is -----------------------------------------------------------------------------------------

accounts = Table(
    "accounts",
    metadata,
    Column("id", String, primary_key=True),
    Column("partition", Integer, nullable=False, index=True),
    Column("state", LargeBinary, nullable=False, comment="the structured row of measures, see meta['row']"),
    Column("scored_at", Double, nullable=False),
    Column("last_event_at", Double, nullable=False),
    Column("health", Double),
    Column("band", String),
    Column("risk", Double),
    Column("driver", Text, comment="the first driver in words"),
    Column("model_version", Integer, nullable=False, default=0),
    Column("expansion", Double, comment="chance that it pays more within the horizon; None: not asked, or not known"),
)
profiles = Table(
    "profiles",
    metadata,
    Column("account", String, primary_key=True),
    Column("name", Text),
    Column("domain", Text),
    Column("owner", Text),
    Column("owner_email", Text),
    Column("parent", String, index=True, comment="a vendor's reference"),
    Column("renewal_on", String),
    Column("mrr", Double, comment="in `currency`, of the entities `subscription`"),
    Column("currency", String),
    Column("merged_into", String),
    Column("facts", Text, nullable=False, comment="JSON: fact -> [occurred_at, event id, value]; newest wins"),
)
entities = Table(
    "entities",
    metadata,
    Column("account", String, primary_key=True),
    Column("reference", String, primary_key=True),
    Column("kind", String, nullable=False, comment="ticket, subscription, invoice, opportunity"),
    Column("state", LargeBinary, nullable=False, comment="JSON: its last state, with the times that order it"),
    Column("open_since", Double, comment="when it was last opened; None unless it is open"),
    Index("entities_open", "account", sqlite_where=_OPEN, postgresql_where=_OPEN),
)
contacts = Table(
    "contacts",
    metadata,
    Column("reference", String, primary_key=True),
    Column("account", String, nullable=False, index=True),
    Column("name", Text),
    Column("email", Text),
    Column("last_seen_at", Double, nullable=False),
    Column("facts", Text, nullable=False, comment="JSON as in profiles"),
)
ledger = Table(
    "ledger",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("account", String, nullable=False),
    Column("at", Double, nullable=False),
    Column("health", Double, nullable=False),
    Column("was", Double),
    Column("band", String, nullable=False),
    Column("was_band", String),
    Column("message", LargeBinary, nullable=False, comment="the hub.Health as JSON, as published"),
    Column("parts", LargeBinary, comment="every part and measure, see scoring.parts; None: written before step 3"),
    Index("ledger_by_account", "account", "at"),
    Index("ledger_by_time", "at"),
    sqlite_with_rowid=False,
)
overrides = Table(
    "overrides",
    metadata,
    Column("event", String, primary_key=True, comment="the id of the event that said it"),
    Column("account", String, nullable=False),
    Column("at", Double, nullable=False),
    Column("until", Double, nullable=False, comment="0: it takes back what was said before"),
    Column("health", Double, comment="None: it takes back"),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("overrides_by_account", "account", "at"),
)
snapshots = Table(
    "snapshots",
    metadata,
    Column("account", String, primary_key=True),
    Column("at", Double, primary_key=True),
    Column("partition", Integer, nullable=False),
    Column("due", Double, nullable=False, comment="when its horizon has passed"),
    Column("half_due", Double, comment="when half of it has; None: it has, and was taught"),
    Column("features", LargeBinary, nullable=False, comment="float32s in the order of config_version"),
    Column("predictions", Text, nullable=False, comment="JSON: expert -> probability, as predicted then"),
    Column("config_version", String, nullable=False),
    Column("model_version", Integer, nullable=False),
    Column("segment", Text, comment="the card it was weighed by; empty: no card fit; None: there were none"),
    Index("snapshots_due", "partition", "due"),
    Index("snapshots_half_due", "partition", "half_due"),
)
early_labels = Table(
    "early_labels",
    metadata,
    Column("account", String, primary_key=True),
    Column("at", Double, primary_key=True),
    Column("matured_at", Double, nullable=False),
    Index("early_labels_by_maturity", "matured_at"),
)
labels = Table(
    "labels",
    metadata,
    Column("account", String, primary_key=True),
    Column("at", Double, primary_key=True),
    Column("matured_at", Double, nullable=False, index=True),
    Column("lost", Integer, nullable=False),
    Column("predictions", Text, nullable=False),
    Column("taught", Integer, nullable=False, comment="model version that learned it"),
    Column("segment", Text, comment="as in snapshots"),
)
expansions = Table(
    "expansions",
    metadata,
    Column("account", String, primary_key=True),
    Column("at", Double, primary_key=True),
    Column("matured_at", Double, nullable=False, index=True),
    Column("grown", Integer, nullable=False),
    Column("chance", Double, comment="as it was shown when the snapshot was taken; None: nothing was"),
)
models = Table(
    "models",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column(
        "trained_through",
        Double,
        nullable=False,
        comment="newest maturity among the labels it learned",
    ),
    Column("config_version", String, nullable=False),
    Column("body", Text, nullable=False, comment="JSON: weights, scalers, optimizers, mixture, measures of quality"),
)
configs = Table(
    "configs",
    metadata,
    Column("version", String, primary_key=True),
    Column("at", Double, nullable=False),
    Column("body", Text, nullable=False, comment="JSON of measures, scorecard, outcome as validated"),
)

valuations = Table(
    "valuations",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False, comment="of customers' time"),
    Column("made_at", Double, nullable=False, comment="of the wall's"),
    Column("body", Text, nullable=False, comment="JSON: what was learned of all customers, see scoring.value"),
)
worths = Table(
    "worths",
    metadata,
    Column("account", String, primary_key=True),
    Column("currency", String, primary_key=True, comment="of its money; nothing is ever added across them"),
    Column("value", Double, comment="expected within the horizon; None: not enough history"),
    Column("valuation", Integer, nullable=False, comment="version of table valuations"),
    Column("body", Text, nullable=False, comment="JSON: bounds, and how it is made"),
)

proposals = Table(
    "proposals",
    metadata,
    Column("account", String, primary_key=True),
    Column("at", Double, primary_key=True, comment="of customers' time"),
    Column("due", Double, nullable=False, comment="when what came of it is known"),
    Column("reward", Double, comment="1: better then, 0: not; None: not known yet"),
    Column("body", Text, nullable=False, comment="JSON: action, chances, context, reason, what was done"),
    Index("proposals_by_time", "at"),
)

# --- what left, and what could not -----------------------------------------------------------------------------

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

# --- many processes --------------------------------------------------------------------------------------------

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
