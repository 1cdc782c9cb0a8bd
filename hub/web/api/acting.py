"""The JSON routes of what to do next."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field

from hub.success.next.record import Proposal
from hub.web import advice
from hub.web.api import shapes
from hub.web.api.parameters import Reference
from hub.web.page import Site
from hub.web.words import iso


class ProposalOut(BaseModel):
    """What to do next about a customer."""

    at: str
    due: str = Field(description="when what came of it is known")
    action: str
    label: str
    reason: str = Field(description="why, in words")
    propensity: float = Field(description="chance with which it was chosen")
    chances: dict[str, float] = Field(description="of all actions that applied, in your order")
    context: dict[str, float] = Field(description="what the choice went by")
    health: float = Field(description="then")
    risk: float = Field(description="then")
    rise: float = Field(description="points by which health must rise to count as better")
    config_version: str
    model_version: int
    actions_version: str
    taken: str | None = Field(description="what was done; null: nobody said")
    taken_at: str | None
    reward: float | None = Field(description="1: better when it was due, 0: not; null: not known yet")


class NextOut(BaseModel):
    """The proposal that stands."""

    account: str
    proposal: ProposalOut | None = Field(description="null: none stands; POST makes one")


class Done(BaseModel):
    """What was done."""

    took: str = Field(max_length=40, description="the name of an action, or `none`")


def router(site: Site) -> APIRouter:
    """The routes."""
    refused: dict[int | str, dict[str, Any]] = {"4XX": {"model": shapes.Problem, "description": "Refused"}}
    routes = APIRouter(prefix="/api/accounts/{reference}/next", responses=refused, tags=["accounts"])

    @routes.get("", summary="What to do next")
    def standing(reference: Reference) -> NextOut:
        """The proposal that stands. To look changes nothing."""
        ours, key = advice.advisor(site), advice.key_of(site, reference)
        with site.context.database.read() as connection:
            found = ours.open(connection, key, site.today())
        return NextOut(account=key, proposal=out(found) if found else None)

    @routes.post("", summary="Propose what to do next", status_code=201)
    def propose(reference: Reference) -> NextOut:
        """The proposal that stands, or a new one, written down with its chance. 409: there is nothing to propose."""
        key = advice.key_of(site, reference)
        return NextOut(account=key, proposal=out(advice.propose(site, key)))

    @routes.put("", summary="Tell what was done")
    def took(reference: Reference, done: Done) -> NextOut:
        """Of the newest proposal: what it is judged by and learned from, once its outcome is known."""
        key = advice.key_of(site, reference)
        return NextOut(account=key, proposal=out(advice.took(site, key, done.took)))

    return routes


def out(one: Proposal) -> ProposalOut:
    """As JSON."""
    found = msgspec.to_builtins(one) | {"at": iso(one.at), "due": iso(one.due), "taken_at": iso(one.taken_at) or None}
    return ProposalOut(**found)
