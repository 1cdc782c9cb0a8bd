"""What waits for a destination, as its worker sees it: the same whether it is fields or alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import ColumnElement, Connection, or_

from hub.sdk.contracts import Delivery

if TYPE_CHECKING:
    from sinks.outcomes import Settled

SELDOM: Final = 30.0  # seconds between questions after a job, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One row, taken to be tried.

    Attributes:
        row: the row's own key beside its sink: an account of fields, a key of alerts.
        delivery: what the sink is given.
        body: what is pushed, as JSON; tells whether the row changed meanwhile.
        attempts: failed ones so far.
        pushed_at: unix seconds when the attempt began.
        expires_at: unix seconds after which a failure is final; None: tried for ever.
        job: what to ask after, when it is pending.
    """

    row: str
    delivery: Delivery
    body: str
    attempts: int
    pushed_at: float
    expires_at: float | None = None
    job: str | None = None


def asked(next_at: ColumnElement[Any], now: float) -> ColumnElement[bool]:
    """Whether a job is to be asked after: it is time, or a clock that has been set back since said when."""
    return or_(next_at <= now, next_at > now + SELDOM)


class Queue(Protocol):
    """The rows of one destination. Every method is one statement or two, inside the caller's transaction."""

    def due(self, connection: Connection, now: float, limit: int) -> list[Item]:
        """At most `limit` rows to push now, those that waited longest, ordered by their key."""

    def jobs(self, connection: Connection, now: float) -> dict[str, list[Item]]:
        """Pending rows to ask after now, by job, ordered by their key as they were when they were pushed."""

    def begin(self, connection: Connection, items: Sequence[Item]) -> None:
        """Note that these are on their way, before they are: a crash must not leave us believing what was shown."""

    def settle(self, connection: Connection, settled: Sequence[Settled], now: float) -> None:
        """Record what became of them, leaving rows due whose wanted value is another by now."""

    def replay(self, connection: Connection, row: str | None) -> int:
        """Make rejected rows due again, all or one; how many there were."""

    def unsure(self, connection: Connection) -> list[str]:
        """The keys of rows that a former holder may still be telling something old, or have told it last."""

    def doubt(self, connection: Connection, rows: Sequence[str]) -> None:
        """Do not believe what we think these were told, nor what calls under way will say."""

    def late(self, connection: Connection, settled: Sequence[Settled]) -> None:
        """Note what may be noted of a call whose caller had lost its lease when it ended."""
