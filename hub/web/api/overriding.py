"""The JSON routes of a person's word about a customer's health."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from hub.sdk.errors import HubError
from hub.web.api import shapes
from hub.web.page import Site
from hub.web.pages.account import find
from hub.web.refusal import RefusedError
from hub.web.words import iso
from scoring.overrides import Override, checked, event, history

_A_MOMENT: Final = 0.001  # seconds
Reference = Annotated[str, Path(description="our id, or any vendor's reference, URL-encoded")]
Author = Annotated[str, Query(max_length=200, description="who says so")]
Reason = Annotated[str, Query(max_length=2_000, description="why; people will read it")]


class Word(BaseModel):
    """What somebody says the health is."""

    health: float = Field(ge=0, le=100)
    until: datetime = Field(description="ISO 8601; at most a year from now")
    reason: str = Field(max_length=2_000, description="why; people will read it")
    author: str = Field(max_length=200, description="who says so")


def router(site: Site) -> APIRouter:
    """The routes under `/api/accounts/{reference}/override`."""
    refused: dict[int | str, dict[str, Any]] = {"4XX": {"model": shapes.Problem, "description": "Refused"}}
    routes = APIRouter(prefix="/api/accounts/{reference}/override", responses=refused, tags=["accounts"])
    context = site.context

    def now() -> float:
        """By the clock of events a word comes after all there was, and moves that no further."""
        return context.now() if context.settings.clock == "wall" else site.today() + _A_MOMENT

    def tell(reference: str, said: Override) -> shapes.OverrideOut:
        if context.tell is None:
            raise RefusedError(503, "Events enter by another process; ask one that runs the door.")
        try:
            word = checked(said)
        except HubError as error:
            raise RefusedError(400, str(error), code="bad_parameter") from None
        with context.database.read() as connection:
            account = find(connection, reference)
        context.tell(event(account, word))
        return out(word)

    @routes.get("", summary="What people said of its health")
    def said(reference: Reference) -> shapes.Overrides:
        """Each word with its author and reason, newest first; also those whose time is over."""
        with context.database.read() as connection:
            return shapes.Overrides(overrides=[out(one) for one in history(connection, find(connection, reference))])

    @routes.post("", summary="Set its health by hand", status_code=202)
    async def override(reference: Reference, word: Word) -> shapes.OverrideOut:
        """It holds until its end; what is computed goes on being computed. Taken once it is in the log."""
        until = word.until if word.until.tzinfo else word.until.replace(tzinfo=UTC)
        made = Override(now(), until.timestamp(), word.health, word.author, word.reason)
        return await run_in_threadpool(tell, reference, made)

    @routes.delete("", summary="Take it back", status_code=202)
    async def take_back(reference: Reference, author: Author, reason: Reason) -> shapes.OverrideOut:
        """Its health is what is computed again."""
        return await run_in_threadpool(tell, reference, Override(now(), 0.0, None, author, reason))

    return routes


def out(one: Override) -> shapes.OverrideOut:
    """A word as JSON."""
    until = iso(one.until) if one.until else None
    return shapes.OverrideOut(at=iso(one.at), until=until, health=one.health, author=one.author, reason=one.reason)
