"""The JSON routes of questions about health: the ledger, what moved it, what would bring it to green, what if."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from hub.web import asking
from hub.web.api import explained, shapes
from hub.web.api.parameters import Cursor, Limit, Reference
from hub.web.page import Site
from hub.web.pages.account import find
from scoring.explaining.asked import goal_of
from scoring.explaining.what_if import Question

_When = Query(max_length=60, description="monday, yesterday, 7d, 2026-03-01, 2026-03-01T10:00Z (UTC)")
Since = Annotated[str, _When]
Until = Annotated[str, _When]


def router(site: Site) -> APIRouter:
    """The routes."""
    refused: dict[int | str, dict[str, Any]] = {"4XX": {"model": shapes.Problem, "description": "Refused"}}
    routes = APIRouter(prefix="/api", responses=refused, tags=["accounts"])

    @routes.get("/accounts/{reference}/ledger", summary="Every change of its health")
    def ledger(
        reference: Reference, since: Since = "", until: Until = "", limit: Limit = 50, cursor: Cursor = None
    ) -> explained.Ledger:
        """Before, after, all that moved it, and the events that caused it; newest first."""
        begins, end = asking.ends(since or "36500d", until, site.today()) if since or until else (None, None)
        with asking.reading(site) as connection:
            found, after = asking.answers(site).ledger(
                connection, find(connection, reference), limit=limit, since=begins, until=end, cursor=cursor
            )
        return explained.Ledger(entries=[explained.LedgerEntry.one(one) for one in found], next=after)

    @routes.get("/accounts/{reference}/moved", summary="Why it moved")
    def moved(reference: Reference, since: Since = asking.SINCE, until: Until = "now") -> explained.MovedOut:
        """What moved its health between two moments; the shares sum to the difference."""
        now = site.today()
        begins, end = asking.ends(since, until, now)
        with asking.reading(site) as connection:
            key = find(connection, reference)
            found = asking.answers(site).moved(connection, key, since=begins, until=end, now=now)
        return explained.MovedOut.one(found)

    @routes.get("/accounts/{reference}/reach", summary="What would bring it to green")
    def reach(
        reference: Reference,
        to: Annotated[str, Query(max_length=40, description="thriving, steady, watch, or 0 to 100")] = "thriving",
    ) -> explained.ReachOut:
        """The smallest changes of things one can act on that bring it to a band or a health, by the scorer itself."""
        with asking.reading(site) as connection:
            found = asking.answers(site).reach(connection, find(connection, reference), goal_of(to))
        return explained.ReachOut.one(found)

    @routes.post("/accounts/{reference}/what-if", summary="What its health would be")
    def what_if(reference: Reference, body: explained.Suppose) -> explained.SupposedOut:
        """By the scorer and the models in use. Nothing is written."""
        with asking.reading(site) as connection:
            question = Question(body.values, body.events)
            found = asking.answers(site).what_if(connection, find(connection, reference), question)
        return explained.SupposedOut.one(found)

    @routes.get("/moved", summary="Why the book moved")
    def book(
        since: Since = "1d",
        until: Until = "now",
        where: Annotated[
            list[str] | None,
            Query(max_length=10, description="only customers whose profile says so: `plan=enterprise`; repeated"),
        ] = None,
        limit: Limit = 20,
    ) -> explained.BookOut:
        """What moved the mean health of all customers, or of some, between two moments; and who moved furthest."""
        begins, end = asking.ends(since, until, site.today())
        with asking.reading(site) as connection:
            ids = asking.segment(connection, where or ())
            found = asking.answers(site).book(connection, since=begins, until=end, ids=ids, most=limit)
        return explained.BookOut.one(found)

    return routes
