"""What people may do: about deliveries and dead letters (pause, resume, replay), and about a customer, what is next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from hub.web import advice
from hub.web.forms import checked
from hub.web.frame import Frame
from hub.web.proofs import Proofs
from hub.web.refusal import RefusedError


def router(frame: Frame, proofs: Proofs) -> APIRouter:
    """The routes of what people do."""
    routes = APIRouter(include_in_schema=False)
    context = frame.site.context

    @routes.post("/deliveries/{sink}/{action}")
    async def deliver(request: Request, sink: str, action: str) -> Response:
        await checked(request, proofs)
        owner = context.deliveries
        if owner is None:
            raise RefusedError(503, "Deliveries are run by another process; use `pulsehub deliveries` there.")
        acts: Mapping[str, Callable[[], object]] = {
            "pause": lambda: owner.pause(sink, "paused by hand"),
            "resume": lambda: owner.resume(sink),
            "replay": lambda: owner.replay(sink),
        }
        if action not in acts:
            raise RefusedError(404)
        number = await run_in_threadpool(acts[action])
        done = {"pause": "paused", "resume": "resumed", "replay": f"replayed_deliveries&n={number}"}[action]
        return RedirectResponse(f"/deliveries?sink={quote(sink, safe='')}&done={done}", 303)

    @routes.post("/dead-letters/replay")
    async def replay(request: Request) -> Response:
        form = await checked(request, proofs)
        again = context.replay_dead_letters
        if again is None:
            raise RefusedError(503, "Streams are run by another process; use `pulsehub deadletters replay` there.")
        ids = [form["id"]] if form.get("id") else await run_in_threadpool(frame.open_letters, form.get("connection"))
        number = await run_in_threadpool(again, ids)
        return RedirectResponse(f"/dead-letters?done=replayed&n={number}", 303)

    @routes.post("/accounts/{reference}/next")
    async def advise(request: Request, reference: str) -> Response:
        form = await checked(request, proofs)
        key = await run_in_threadpool(advice.key_of, frame.site, reference)
        if action := form.get("took"):
            await run_in_threadpool(advice.took, frame.site, key, action)
        else:
            await run_in_threadpool(advice.propose, frame.site, key)
        return RedirectResponse(f"/accounts/{quote(key, safe='')}", 303)

    return routes
