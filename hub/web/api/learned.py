"""How well the models predicted: the track record as JSON, and the model card as a file."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from hub.web.api import shapes
from hub.web.page import Site
from hub.web.pages import models
from scoring.proof.model_card import document


def router(site: Site) -> APIRouter:
    """The routes."""
    refused: dict[int | str, dict[str, Any]] = {"4XX": {"model": shapes.Problem, "description": "Refused"}}
    routes = APIRouter()

    @routes.get("/api/models", summary="How well the models predict", tags=["models"], responses=refused)
    def learned(
        top: Annotated[
            int, Query(ge=1, le=models.MOST, description="how many customers can be visited at each look")
        ] = models.USUAL,
    ) -> dict[str, Any]:
        """The track record: figures with intervals, calibration, visits, months, versions."""
        return document(models.told(site, top))

    @routes.get("/models/card", include_in_schema=False)
    def card() -> Response:
        """The model card, to keep."""
        name = {"content-disposition": 'attachment; filename="pulsehub-model-card.md"', "cache-control": "no-store"}
        return Response(models.written(site), media_type="text/markdown; charset=utf-8", headers=name)

    return routes
