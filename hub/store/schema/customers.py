"""How a customer is, what is learned of that, and what is proposed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, Table, text

from hub.store.schema.base import String, Text, metadata

_OPEN = text("open_since IS NOT NULL")
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
