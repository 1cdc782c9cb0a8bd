"""Alive, able, and in numbers: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from hub import metrics
from hub.web.ability import database_troubles
from hub.web.installation import Installation
from hub.web.page import Site


def router(site: Site) -> APIRouter:
    """The routes that machines ask."""
    routes = APIRouter(tags=["operation"])
    context = site.context
    installation = Installation(
        context.database,
        books=context.counters,
        lag=context.lag,
        behind=context.behind,
        rates=context.rates,
        halted=context.halted,
        now=context.now,
        wall=context.settings.clock == "wall",
        folder=context.settings.data if context.settings.embedded else None,
        hot=context.hot,
    )

    @routes.get("/healthz", summary="Alive?", responses={503: {"description": "Only a restart helps; `reasons`"}})
    def healthz() -> Response:
        """Whether the process serves requests, its agents' loop turns and none of them has died."""
        dying = context.dying()
        return answer(dying, "not alive") if dying else JSONResponse({"status": "ok"})

    @routes.get("/readyz", summary="Able?", responses={503: {"description": "Not able; `reasons` says why"}})
    def readyz() -> Response:
        """Whether database and log answer, the disk has room, our rooms run and the door takes what comes."""
        # a room that another process stopped for good is no reason to take nothing in here
        return answer([*database_troubles(context.database), *context.dying(), *context.ready()], "not ready")

    @routes.get("/metrics", summary="In numbers, for Prometheus", response_class=Response)
    def metrics_() -> Response:
        """Counters and gauges in Prometheus' text format."""
        return Response(metrics.exposition(installation), media_type=metrics.CONTENT_TYPE)

    def answer(reasons: Sequence[str], otherwise: str) -> Response:
        said = {"status": otherwise if reasons else "ok", "reasons": list(reasons)}
        return JSONResponse(said, 503 if reasons else 200)

    return routes
