"""What a sink answered, and what becomes of each record: pure."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final, Literal, NamedTuple

from hub.sdk.contracts import Ok, Outcome, Pending, Reject, Retry
from sinks.backoff import wait
from sinks.queue import SELDOM, Item

JOB_LIFE: Final = 3_600.0  # Zendesk forgets its jobs after an hour; nobody's last longer
NO_OUTCOME: Final = "the sink gave no outcome for this record"

Word = Literal["ok", "retry", "reject", "pending"]


class Settled(NamedTuple):
    """What became of one attempt.

    Attributes:
        item: the record tried.
        word: its outcome, as receipts keep it.
        attempts: failed ones so far, this one included.
        next_at: unix seconds before which it is not tried (or its job not asked after) again.
        reason: why it was not taken.
        job: what to ask after.
    """

    item: Item
    word: Word
    attempts: int = 0
    next_at: float = 0.0
    reason: str | None = None
    job: str | None = None


def one_each(items: Sequence[Item], outcomes: object) -> list[Outcome]:
    """One outcome for every record: what is missing is a failure, and too many vouch for nothing."""
    given = list(outcomes) if isinstance(outcomes, Sequence) and not isinstance(outcomes, str) else []
    if len(given) > len(items):
        return [Retry(f"the sink gave {len(given)} outcomes for {len(items)} records")] * len(items)
    given += [None] * (len(items) - len(given))
    return [o if isinstance(o, Ok | Retry | Reject | Pending) else Retry(NO_OUTCOME) for o in given]


def settle(item: Item, outcome: Outcome, now: float, rng: Random, *, counts: bool = True) -> Settled:
    """What becomes of a record after `outcome`.

    Args:
        item: the record.
        outcome: what the sink said of it.
        now: unix seconds.
        rng: jitter.
        counts: False where a retry is the destination's wish (it paused us), not a failure of the record.
    """
    match outcome:
        case Ok():
            return Settled(item, "ok")
        case Reject(reason):
            return Settled(item, "reject", item.attempts + 1, reason=reason)
        case Pending(job):
            return _wait_for(item, job, now, rng)
        case Retry(reason) if not counts:
            return Settled(item, "retry", item.attempts, now, reason)
        case Retry(reason, after):
            return _again(item, reason, after, now, rng)


def _wait_for(item: Item, job: str, now: float, rng: Random) -> Settled:
    """Ask after a job seldomer the longer it takes, between every second and every half minute."""
    took = now - item.pushed_at
    if took > JOB_LIFE:
        return _again(item, f"job {job} was not done after {JOB_LIFE / 60:.0f} minutes", None, now, rng)
    return Settled(item, "pending", item.attempts, now + min(SELDOM, max(1.0, took / 4)), job=job)


def _again(item: Item, reason: str, after: float | None, now: float, rng: Random) -> Settled:
    attempts = item.attempts + 1
    if item.expires_at is not None and now >= item.expires_at:
        return Settled(item, "reject", attempts, reason=f"gave up, since it is news no more: {reason}")
    return Settled(item, "retry", attempts, now + wait(attempts, after, rng), reason)
