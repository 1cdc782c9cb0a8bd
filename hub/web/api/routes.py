"""The JSON routes: parameters are checked, every refusal is `{"code", "message"}`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from sqlalchemy import Connection

from hub.sdk.health import Band
from hub.store.questions import account as of_account
from hub.store.questions import portfolio, tree, way
from hub.store.questions.paging import CursorError
from hub.store.questions.portfolio import Wanted
from hub.web.api import overriding, shapes
from hub.web.api.parameters import Cursor, Limit, Reference
from hub.web.page import Site
from hub.web.pages.account import find
from hub.web.refusal import RefusedError
from hub.web.words import iso

Name = Annotated[str | None, Query(max_length=200)]
Sort = Annotated[
    str,
    Query(
        description="what to sort by, downwards with `-`; unknowns come last",
        pattern=f"^({'|'.join(portfolio.SORTS)})$",
    ),
]


def router(site: Site) -> APIRouter:
    """The routes under `/api`."""
    refused: dict[int | str, dict[str, Any]] = {"4XX": {"model": shapes.Problem, "description": "Refused"}}
    routes = APIRouter(prefix="/api", responses=refused)
    context = site.context

    @contextmanager
    def asking() -> Iterator[Connection]:
        try:
            with context.database.read() as connection:
                yield connection
        except CursorError as error:
            raise RefusedError(400, f"{error}; start again without it", code="bad_cursor") from None

    @routes.get("/accounts", summary="List customers", tags=["accounts"])
    def accounts(
        q: Annotated[str, Query(max_length=200, description="part of a name, domain or owner; or a reference")] = "",
        band: Annotated[Band | None, Query(description="only customers in this band")] = None,
        sort: Sort = "health",
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> shapes.Accounts:
        """Customers, those who need somebody first."""
        wanted = Wanted(text=q.replace("\0", ""), band=band, sort=sort)
        with asking() as connection:
            rows, after = portfolio.follow(connection, wanted, limit=limit, cursor=cursor)
            total = portfolio.count(connection, wanted)
        return shapes.Accounts(accounts=[shapes.AccountSummary(**_row(row)) for row in rows], total=total, next=after)

    @routes.get("/accounts/{reference}", summary="Explain one customer", tags=["accounts"])
    def one(reference: Reference) -> shapes.Account:
        """Health, and everything it is made of: base + the drivers' points = health."""
        with asking() as connection:
            key = find(connection, reference)
            why = context.explain(connection, key)
            row = portfolio.by_ids(connection, [key])[key]
            references = of_account.references(connection, key)
            above, below = tree.parent(connection, key), tree.parts(connection, key)
        told = _row(row)
        if why is not None:
            told |= {"health": why.health, "band": why.band, "risk": why.risk, "as_of": iso(why.as_of)}
        return shapes.Account(
            **told,
            base=why.base if why else None,
            drivers=_drivers(why.drivers) if why else [],
            measures=[
                shapes.MeasureOut(
                    name=m.name,
                    label=m.label,
                    value=m.value,
                    unit=m.unit,
                    dimension=m.dimension,
                    as_of=iso(m.as_of) or None,
                )
                for m in (why.measures if why else ())
            ],
            references=references,
            parent=above,
            parts=below,
            confidence=why.confidence if why else None,
            sources=[
                shapes.SourceOut(name=one.name, as_of=iso(one.as_of), silent=one.silent)
                for one in (why.sources if why else ())
            ],
            rollup=shapes.RollupOut(**why.rollup._asdict()) if why and why.rollup else None,
            card=why.card if why else "",
            computed=why.computed if why else None,
            override=overriding.out(why.override) if why and why.override else None,
            outlook=_outlook(why.outlook) if why else None,
            left=shapes.LeftOut(how=why.left.how, at=iso(why.left.at)) if why and why.left else None,
            config_version=why.config_version if why else "",
            model_version=why.model_version if why else 0,
        )

    @routes.get("/accounts/{reference}/events", summary="What happened", tags=["accounts"])
    def events(reference: Reference, limit: Limit = 50, cursor: Cursor = None) -> shapes.Events:
        """Applied events in our words, newest first."""
        with asking() as connection:
            found, after = of_account.happenings(connection, find(connection, reference), limit=limit, cursor=cursor)
        return shapes.Events(events=[msgspec.to_builtins(one.event) for one in found], next=after)

    @routes.get("/deliveries", summary="What left", tags=["operation"])
    def deliveries(
        sink: Name = None,
        outcome: Annotated[Literal["failed"] | None, Query(description="only what did not arrive")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> shapes.Deliveries:
        """Destinations and the attempts at them, newest first."""
        with asking() as connection:
            places = way.every_destination(connection, context.now())
            found, after = way.receipt_list(
                connection, limit=limit, sink=sink, failed=outcome == "failed", cursor=cursor
            )
        return shapes.Deliveries(
            destinations=[shapes.DestinationOut.model_validate(p, from_attributes=True) for p in places],
            receipts=[shapes.Receipt(**{**_plain(r), "at": iso(r.at), "fields": _object(r.fields)}) for r in found],
            next=after,
        )

    @routes.get("/deadletters", summary="What could not be taken", tags=["operation"])
    def deadletters(
        state: Annotated[Literal["open", "replayed"] | None, Query()] = None,
        connection: Name = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> shapes.DeadLetters:
        """Dead letters with their reason, newest first."""
        with asking() as database:
            found, after = way.letters(database, limit=limit, state=state, source=connection, cursor=cursor)
            number = sum(way.letters_by_connection(database).values())
        return shapes.DeadLetters(
            dead_letters=[
                shapes.DeadLetter(
                    **{**_plain(one), "at": iso(one.at), "context": _object(one.context), "size": len(one.body)}
                )
                for one in found
            ],
            open=number,
            next=after,
        )

    return routes


def _row(row: portfolio.Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.title,
        "domain": row.domain,
        "health": row.health,
        "band": row.band,
        "risk": row.risk,
        "driver": row.driver,
        "mrr": row.mrr,
        "currency": row.currency,
        "renewal_on": row.renewal_on,
        "owner": row.owner,
        "as_of": iso(row.scored_at),
        "expansion": row.expansion,
    }


def _outlook(found: Any) -> shapes.OutlookOut | None:
    if found is None:
        return None
    said = {name: getattr(found, name) for name in ("measure", "by", "days", "chance", "usual", "labels", "missing")}
    return shapes.OutlookOut(**said, drivers=_drivers(found.drivers))


def _plain(row: Any) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(row)}


def _drivers(found: Any) -> list[shapes.DriverOut]:
    return [shapes.DriverOut(name=d.name, text=d.text, points=d.points, dimension=d.dimension) for d in found]


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
