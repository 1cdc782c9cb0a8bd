"""What people may do with a draft: see whom it would move, and take it with them as a file."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from hub.web.drafts import BYTES, FIELDS, Judge, Texts, out_of, understood
from hub.web.forms import checked
from hub.web.frame import Frame
from hub.web.page import Asked, Page
from hub.web.pages import backtest, scorecard
from hub.web.pages.models import in_use
from hub.web.proofs import Proofs
from hub.web.refusal import RefusedError
from scoring.loading import FILES


def router(frame: Frame, proofs: Proofs) -> APIRouter:
    """The routes of the scorecard editor."""
    routes = APIRouter(include_in_schema=False)
    judge = Judge(frame.site)

    @routes.post("/scorecard")
    async def preview(request: Request) -> Response:
        form = await checked(request, proofs, BYTES, FIELDS)
        asked = Asked("/scorecard")
        page = await run_in_threadpool(lambda: scorecard.judged(frame.site, asked, out_of(form), judge))
        return frame.respond(request, page)

    @routes.post("/scorecard/backtests")
    async def replay(request: Request) -> Response:
        form = await checked(request, proofs, BYTES, FIELDS)
        asked = Asked("/scorecard")

        def ask() -> Page | str:
            texts = out_of(form)
            if again := frame.site.backtests.one(form.get("again", "")):
                texts = Texts(again.wanted.measures, again.wanted.scorecard)
            draft = understood(frame.site, texts)
            if draft.config is None or draft.config.version == in_use(frame.site).version:
                return scorecard.judged(frame.site, asked, texts, judge)
            return backtest.ask(frame.site, texts, draft.config, form)

        came = await run_in_threadpool(ask)
        return (
            RedirectResponse(f"/scorecard/backtests/{came}", 303)
            if isinstance(came, str)
            else frame.respond(request, came)
        )

    @routes.post("/scorecard/backtests/{key}/cancel")
    async def cancel(request: Request, key: str) -> Response:
        await checked(request, proofs)
        await run_in_threadpool(frame.site.backtests.cancel, key)
        return RedirectResponse(f"/scorecard/backtests/{quote(key, safe='')}", 303)

    @routes.post("/scorecard/download/{name}")
    async def download(request: Request, name: str) -> Response:
        form = await checked(request, proofs, BYTES, FIELDS)
        if name not in FILES:
            raise RefusedError(404)
        texts = await run_in_threadpool(out_of, form)
        said = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
        text = texts.measures if name == FILES[0] else texts.scorecard
        return Response(text, media_type="application/yaml; charset=utf-8", headers=said)

    return routes
