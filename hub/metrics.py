"""Every number this program tells Prometheus, by name; `docs/metrics.md` is made of this file.

Two kinds. *Ours* are counted where something happens, in this process, a batch at a time, and live in `REGISTRY`.
*Asked* are facts about the whole installation: nobody keeps them, the database and the log are asked when somebody
scrapes (`hub.web.installation`). Labels have few values: rooms, topics, connections, destinations; never a customer.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

disable_created_metrics()  # type: ignore[no-untyped-call] # else each counter is told twice: what it is, and since when
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
REGISTRY: Final = CollectorRegistry()
"""Of this process."""

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_AGES: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0)
_RECORDS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 4_000)
_JOBS: Final = (1, 2, 4, 8, 16, 32, 64)


class Ages(Collector):
    """A histogram that takes a batch at a time: sorted once, then a search for each bound, whatever its size.

    `prometheus_client` looks for the bucket of each value anew, in Python: 2 µs an event, of some 30 all in all.

    Args:
        name: of the metric.
        says: what it is.
        label: the one label it has.
        bounds: upper bounds of its buckets, seconds.
    """

    def __init__(self, name: str, says: str, label: str, bounds: Sequence[float] = _AGES) -> None:
        self.name, self.says, self.label = name, says, label
        self._bounds = bounds
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[list[int], float]] = {}  # by label: so many up to each bound and in all, their sum

    def observe(self, value: str, ages: list[float]) -> None:
        """Add these under a value of the label; sorts them in place."""
        ages.sort()
        below = [bisect_right(ages, bound) for bound in self._bounds]
        below.append(len(ages))
        with self._lock:
            were, total = self._kept.get(value, ([0] * len(below), 0.0))
            self._kept[value] = [was + more for was, more in zip(were, below, strict=True)], total + sum(ages)

    def describe(self) -> Iterator[Metric]:
        """Its name, before anything was seen."""
        yield HistogramMetricFamily(self.name, self.says, labels=[self.label])

    def collect(self) -> Iterator[Metric]:
        """What was seen so far."""
        family = HistogramMetricFamily(self.name, self.says, labels=[self.label])
        with self._lock:
            kept = dict(self._kept)
        bounds = [*map(str, self._bounds), "+Inf"]
        for value, (counts, total) in kept.items():
            family.add_metric([value], list(zip(bounds, counts, strict=True)), total)
        yield family


# --- streams: one process' rooms ---------------------------------------------------------------------------------

BATCH: Final = Histogram(
    "pulsehub_batch_records", "Records applied in one transaction", ["room"], registry=REGISTRY, buckets=_RECORDS
)
RECORDS: Final = Counter(
    "pulsehub_records",
    "Records taken by a room of this process: applied, duplicate, forwarded, dead",
    ["room", "outcome"],
    registry=REGISTRY,
)
AGE: Final = Ages(
    "pulsehub_record_age_seconds",
    "From the log to the commit of what a room made of it; of scoring.rescore: how old an event is when it is scored",
    "room",
)
REGISTRY.register(AGE)
STEP: Final = Histogram(
    "pulsehub_step_seconds",
    "Deciding what a batch comes to, inside the transaction",
    ["room"],
    registry=REGISTRY,
    buckets=_SECONDS,
)
TRANSACTION: Final = Histogram(
    "pulsehub_transaction_seconds",
    "From handing a batch to the database's writer to its being on disk",
    ["room"],
    registry=REGISTRY,
    buckets=_SECONDS,
)
PUBLISH: Final = Histogram(
    "pulsehub_publish_seconds", "Appending a room's messages", ["room"], registry=REGISTRY, buckets=_SECONDS
)
PUBLISHED: Final = Counter("pulsehub_published_records", "Messages of a room in the log", ["room"], registry=REGISTRY)
PARTITIONS: Final = Gauge(
    "pulsehub_partitions_held", "Partitions of its topic a room of this process has", ["room"], registry=REGISTRY
)
ASSIGNMENTS: Final = Counter(
    "pulsehub_assignments", "Times a room was given partitions: rebalances, and the start", ["room"], registry=REGISTRY
)
LOADING: Final = Histogram(
    "pulsehub_loading_seconds",
    "Claiming and loading partitions; the room stands still meanwhile",
    ["room"],
    registry=REGISTRY,
    buckets=_SECONDS,
)
FENCED: Final = Counter(
    "pulsehub_fenced", "Transactions refused because another process had taken over", ["room"], registry=REGISTRY
)

# --- the door ----------------------------------------------------------------------------------------------------

ANSWERS: Final = Counter(
    "pulsehub_door_answers", "Answers of the door, by HTTP status", ["connection", "status"], registry=REGISTRY
)
ANSWERING: Final = Histogram(
    "pulsehub_door_seconds",
    "From a request's first byte to its answer, of those taken",
    ["connection"],
    registry=REGISTRY,
    buckets=_SECONDS,
)
BODIES: Final = Counter("pulsehub_door_bytes", "Bytes of bodies taken", ["connection"], registry=REGISTRY)
TAKEN: Final = Counter(
    "pulsehub_door_events",
    "What came in bodies: accepted, duplicates, dead_lettered",
    ["connection", "outcome"],
    registry=REGISTRY,
)

# --- deliveries --------------------------------------------------------------------------------------------------

DELIVERED: Final = Counter(
    "pulsehub_deliveries", "Attempts by outcome: ok, retry, reject, pending", ["sink", "outcome"], registry=REGISTRY
)
CALL: Final = Histogram(
    "pulsehub_delivery_call_seconds",
    "One call of a destination, for up to a batch of records",
    ["sink"],
    registry=REGISTRY,
    buckets=_SECONDS,
)

# --- scoring -----------------------------------------------------------------------------------------------------

EXPERT_FAILURES: Final = Counter(
    "pulsehub_expert_failures",
    "Times an expert of a plugin was left out, by what it was to do: open, say, learn, state",
    ["expert", "doing"],
    registry=REGISTRY,
)

# --- what we stand on --------------------------------------------------------------------------------------------

COMMIT: Final = Histogram(
    "pulsehub_database_commit_seconds",
    "A transaction of the database's writer, of all the jobs in it",
    registry=REGISTRY,
    buckets=_SECONDS,
)
JOBS: Final = Histogram("pulsehub_database_commit_jobs", "Jobs committed together", registry=REGISTRY, buckets=_JOBS)
QUEUE: Final = Gauge("pulsehub_database_queue_jobs", "Jobs that wait for the database's writer", registry=REGISTRY)
AGAIN: Final = Counter(
    "pulsehub_database_contended", "Jobs run again because another transaction was in their way", registry=REGISTRY
)
REDIS: Final = Gauge(
    "pulsehub_redis_up", "1 while Redis answers; not there where none is configured", ["name"], registry=REGISTRY
)
ProcessCollector(registry=REGISTRY)


class Asked(NamedTuple):
    """A number that nobody keeps: it is asked for at the scrape."""

    name: str
    says: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"

    def told(self, values: Mapping[Any, float] | float) -> Metric:
        """The same with its values, by label: a name where there is one label, a tuple of them where there are more."""
        family = (GaugeMetricFamily if self.kind == "gauge" else CounterMetricFamily)(
            self.name, self.says, labels=self.labels
        )
        if not isinstance(values, Mapping):
            values = {(): values}
        for key, value in values.items():
            family.add_metric([key] if isinstance(key, str) else key, value)
        return family


# --- the installation, as database and log know it ---------------------------------------------------------------

RECEIVED: Final = Asked("pulsehub_events_received", "Events the door acknowledged", kind="counter")
APPLIED: Final = Asked("pulsehub_events_applied", "Events applied to an account", kind="counter")
DUPLICATES: Final = Asked("pulsehub_events_duplicates", "Events that were known already", kind="counter")
DEAD: Final = Asked("pulsehub_events_dead_lettered", "Records that could not be taken", kind="counter")
FORWARDED: Final = Asked(
    "pulsehub_events_forwarded", "Events passed on to the account theirs was merged into", kind="counter"
)
PENDING: Final = Asked("pulsehub_events_pending", "Events on the log that scoring has not taken")
UNBALANCED: Final = Asked(
    "pulsehub_books_difference",
    "received - (applied + duplicates + dead-lettered + pending); 0 but for what is on its way",
)
LAG: Final = Asked("pulsehub_room_lag_records", "Records a room has not yet taken, wherever it runs", ("room",))
BEHIND: Final = Asked(
    "pulsehub_room_lag_seconds",
    "How long the oldest record that a room has not taken has been waiting, as seen from scrape to scrape",
    ("room",),
)
RATE: Final = Asked("pulsehub_topic_records_per_second", "Over the last minute", ("topic",))
HALTED: Final = Asked("pulsehub_rooms_halted", "Rooms that stand still, in any process")
ACCOUNTS: Final = Asked("pulsehub_accounts", "Customers by band", ("band",))
LETTERS: Final = Asked("pulsehub_dead_letters_open", "Dead letters that wait for a person", ("connection",))
STAGES: Final = Asked("pulsehub_dead_letters", "Dead letters kept, by where it went wrong", ("stage", "state"))
STATES: Final = Asked("pulsehub_delivery_records", "Records and alerts by state", ("sink", "state"))
WAITING: Final = Asked(
    "pulsehub_delivery_queue_age_seconds", "Age of the oldest of what is next in turn for a destination", ("sink",)
)
PAUSED: Final = Asked("pulsehub_destination_paused", "1 while a destination is paused", ("sink",))
OPEN: Final = Asked(
    "pulsehub_destination_breaker_open", "1 while a destination is left alone because it failed", ("sink",)
)
MODEL: Final = Asked("pulsehub_model_version", "The newest version of the risk models")
MODEL_AGE: Final = Asked("pulsehub_model_age_seconds", "How long ago the newest version was made")
LEARNED: Final = Asked("pulsehub_labels_learned", "Outcomes the models have learned from", kind="counter")
DRIFTED: Final = Asked(
    "pulsehub_model_drift_alarms",
    "Times that an expert of the risk models was found to predict worse than it used to",
    kind="counter",
)
PROCESSES: Final = Asked("pulsehub_processes", "Processes heard of in the last 20 seconds", ("role",))
LED: Final = Asked("pulsehub_lease_held", "1 where a process that is alive holds the lease", ("lease",))
DATABASE: Final = Asked("pulsehub_database_up", "1 where the database answered this scrape")
LOG: Final = Asked("pulsehub_log_up", "1 where the log answered this scrape")
DISK: Final = Asked("pulsehub_disk_free_bytes", "Free on the disk of the data folder; embedded only")

ASKED: Final = tuple(one for one in vars().values() if isinstance(one, Asked))
"""In the order they are declared."""


def exposition(asked: Collector | None = None) -> bytes:
    """Everything in Prometheus' text format: ours, and what `asked` finds out."""
    return generate_latest(REGISTRY) + (generate_latest(asked) if asked else b"")


class Described(NamedTuple):
    """A metric as its page shows it; `name` as Prometheus stores it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    says: str


def described() -> list[Described]:
    """Every metric there is, ours first, in the order of this file."""
    ours = [one for one in globals().values() if isinstance(one, Counter | Gauge | Histogram | Ages)]
    found = []
    for one in ours:
        family = next(iter(one.describe()))
        labels = (one.label,) if isinstance(one, Ages) else tuple(one._labelnames)  # noqa: SLF001 - told nowhere else
        found.append(Described(_stored(family.name, family.type), family.type, labels, family.documentation))
    return found + [Described(_stored(one.name, one.kind), one.kind, one.labels, one.says) for one in ASKED]


def _stored(name: str, kind: str) -> str:
    return f"{name}_total" if kind == "counter" else name
