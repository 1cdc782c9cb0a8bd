"""What events about tickets mean, one function each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import hub
from plugins.zendesk.payloads import Comment, Move, Ping, Rating, Ticket, known, stamp, word

WEIGHT: Final = {"LOW": 0.5, "NORMAL": 1.0, "HIGH": 2.0, "URGENT": 4.0}
"""What a ticket of a priority weighs; one without any counts as normal."""

_DONE: Final = {"SOLVED", "CLOSED"}
_STARS: Final = 5


def opened(name: str, ping: Ping) -> Iterator[hub.Event]:
    """`ticket.opened`, with the customer's first words; solved at once where an agent wrote down what is done."""
    ticket = Ticket.model_validate(ping.detail)
    at = ticket.created_at or ping.time
    fact = f"opened:{stamp(at)}"
    value = weight(ticket.priority)
    yield _event(name, ping, ticket, "ticket.opened", fact, at=at, value=value, text=ticket.description)
    if (ticket.status or "").upper() in _DONE:
        yield _event(name, ping, ticket, "ticket.solved", f"solved:{stamp(ping.time)}")


def status_changed(name: str, ping: Ping) -> Iterator[hub.Event]:
    """Solving and its undoing; from SOLVED to CLOSED only the time for second thoughts has ended."""
    ticket = Ticket.model_validate(ping.detail)
    now, before = (ping.said("current") or "").upper(), (ping.said("previous") or "").upper()
    if now in _DONE and before not in _DONE:
        yield _event(name, ping, ticket, "ticket.solved", f"solved:{stamp(ping.time)}", status=now.lower())
    elif before in _DONE and now not in _DONE:
        fact, value = f"reopened:{stamp(ping.time)}", weight(ticket.priority)
        yield _event(name, ping, ticket, "ticket.reopened", fact, value=value, status=now.lower())
    else:
        fact = f"status_{word(now)}:{stamp(ping.time)}"
        yield _event(name, ping, ticket, "zendesk.ticket_status_changed", fact, status=now.lower())


def priority_changed(name: str, ping: Ping) -> Iterator[hub.Event]:
    """`ticket.escalated` where the new priority weighs more than the one before."""
    ticket = Ticket.model_validate(ping.detail)
    now = ping.said("current")
    more = weight(now) > weight(ping.said("previous"))
    kind = "ticket.escalated" if more else "zendesk.ticket_priority_changed"
    fact = f"priority_{word(now)}:{stamp(ping.time)}"
    yield _event(name, ping, ticket, kind, fact, value=weight(now), priority=(now or "normal").lower())


def comment_added(name: str, ping: Ping) -> Iterator[hub.Event]:
    """`ticket.replied`; with its text only where the customer wrote, since sentiment is read from it."""
    ticket = Ticket.model_validate(ping.detail)
    comment = Comment.model_validate(ping.event.get("comment"))
    by = "note" if not comment.is_public else "agent" if comment.author.is_staff else "customer"
    theirs = by == "customer"
    yield _event(
        name,
        ping,
        ticket,
        "ticket.replied",
        f"comment:{comment.id}",
        contact=comment.author.id if theirs else None,
        text=comment.body if theirs else None,
        by=by,
    )


def organization_changed(name: str, ping: Ping) -> Iterator[hub.Event]:
    """Off the one customer's books and, unless it is done, onto the other's."""
    ticket = Ticket.model_validate(ping.detail)
    move = Move.model_validate(ping.event)
    left = ticket.model_copy(update={"organization_id": move.previous})
    yield _event(name, ping, left, "ticket.solved", f"left:{stamp(ping.time)}", status="moved")
    if (ticket.status or "").upper() not in _DONE:
        joined = ticket.model_copy(update={"organization_id": move.current})
        value = weight(ticket.priority)
        yield _event(name, ping, joined, "ticket.opened", f"joined:{stamp(ping.time)}", value=value)


def ended(name: str, ping: Ping) -> Iterator[hub.Event]:
    """Merged into another or deleted: no longer open, whatever its status says; the same fact as being solved."""
    ticket = Ticket.model_validate(ping.detail)
    status = "merged" if ping.what == "ticket.merged" else "deleted"
    yield _event(name, ping, ticket, "ticket.solved", f"solved:{stamp(ping.time)}", status=status)


def csat_received(name: str, ping: Ping) -> Iterator[hub.Event]:
    """`csat.rated`: 1 for good, 0 for bad; the five stars of newer surveys are spread between."""
    ticket = Ticket.model_validate(ping.detail)
    rating = Rating.model_validate(ping.event.get("satisfaction_score"))
    fact = f"csat:{stamp(ping.time)}"
    yield _event(
        name, ping, ticket, "csat.rated", fact, value=_rating(rating), text=rating.comment, score=rating.score.lower()
    )


def stored(name: str, ping: Ping) -> Iterator[hub.Event]:
    """Anything else about a ticket, under Zendesk's own word for it."""
    ticket = Ticket.model_validate(ping.detail)
    yield _event(name, ping, ticket, f"zendesk.{ping.what.replace('.', '_')}", f"{word(ping.what)}:{stamp(ping.time)}")


def weight(priority: str | None) -> float:
    """What a priority weighs, however it is spelt."""
    return WEIGHT.get((priority or "").upper(), 1.0)


def _rating(rating: Rating) -> float:
    score = rating.score.strip().upper()
    if score in {"GOOD", "BAD"}:
        return float(score == "GOOD")
    try:
        stars = float(score)
    except ValueError:
        raise hub.RejectedError(f"{rating.score!r} is no satisfaction score") from None
    if not 1 <= stars <= _STARS:
        raise hub.RejectedError(f"{rating.score!r} is not between 1 and {_STARS} stars")
    return (stars - 1) / (_STARS - 1)


def _event(
    name: str,
    ping: Ping,
    ticket: Ticket,
    kind: str,
    fact: str,
    *,
    at: datetime | None = None,
    contact: str | None = None,
    value: float | None = None,
    text: str | None = None,
    **more: hub.Scalar,
) -> hub.Event:
    person = f"{name}:user:{contact or ticket.requester_id}" if contact or ticket.requester_id else None
    # without an organization the person who asked stands for the customer
    account = f"{name}:organization:{ticket.organization_id}" if ticket.organization_id else person
    if account is None:
        raise hub.RejectedError(f"ticket {ticket.id} names neither an organization nor a requester")
    facts: dict[str, hub.Scalar] = {
        "priority": (ticket.priority or "").lower(),
        "status": (ticket.status or "").lower(),
        "subject": ticket.subject,
    }
    return hub.Event(
        id=f"{name}:ticket:{ticket.id}:{fact}",
        kind=kind,
        account=account,
        entity=f"{name}:ticket:{ticket.id}",
        contact=person,
        occurred_at=at or ping.time,
        value=value,
        text=text,
        properties=known(facts | more),
    )
