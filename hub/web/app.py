"""The application: pages, forms, live stream, API and probes behind one guard."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from hub.web import actions, drafting, forms, palette, stream
from hub.web.api import acting, explaining, learned, overriding, probes, routes, valuing
from hub.web.backtests import Backtests
from hub.web.context import Context
from hub.web.frame import Frame
from hub.web.guard import Guard, Receive, Scope, Send
from hub.web.memo import Memo
from hub.web.page import Site, View
from hub.web.proofs import Proofs
from hub.web.refusal import RefusedError
from hub.web.render import Renderer
from hub.web.routing import PAGES
from hub.web.statics import Statics

_log: Final = logging.getLogger("web")
_PROGRAMS: Final = ("/api/", "/metrics", "/healthz", "/readyz")
_ABOUT: Final = """Every customer's health, why it is what it is, and what happened.

Lists are paged by cursor: pass `next` as `cursor`. Errors are always `{"code": "...", "message": "..."}`. When the
installation has a token, send `Authorization: Bearer <PULSEHUB_API_TOKEN>`."""


def create_app(context: Context) -> FastAPI:
    """Build the web face. Its requests are answered in worker threads; it starts nothing by itself."""
    token = context.settings.api_token
    proofs = Proofs(token.get_secret_value() if token else None)
    site = Site(context, Memo(), Backtests(context.database, context.now))
    frame = Frame(site, Renderer(), proofs)
    app = FastAPI(
        title="Pulsehub",
        version=context.version or "0",
        description=_ABOUT,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for path, view in PAGES.items():
        app.add_api_route(path, _page(frame, view), include_in_schema=False, methods=["GET", "HEAD"])
    app.include_router(forms.router(frame, proofs))
    app.include_router(actions.router(frame, proofs))
    app.include_router(drafting.router(frame, proofs))
    app.include_router(stream.router(frame))
    app.include_router(palette.router(site))
    app.include_router(routes.router(site))
    app.include_router(overriding.router(site))
    app.include_router(explaining.router(site))
    app.include_router(learned.router(site))
    app.include_router(valuing.router(site))
    app.include_router(acting.router(site))
    app.include_router(probes.router(site))
    app.mount("/static", Statics())

    @app.get("/login", include_in_schema=False)
    def login(request: Request) -> Response:
        if not proofs.needed:
            return RedirectResponse("/", 303)
        return frame.refusal(request, RefusedError(401))

    _say_no(app, frame)
    app.add_middleware(Guard, context=context, proofs=proofs, refuse=partial(_refusing, frame))
    return app


def _page(frame: Frame, view: View) -> Callable[[Request], HTMLResponse]:
    def answer(request: Request) -> HTMLResponse:
        return frame.show(request, view)

    return answer


def _refuse(frame: Frame, request: Request, error: RefusedError) -> Response:
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}  # noqa: PLR2004 - what HTTP asks for
    if request.scope["path"].startswith(_PROGRAMS) or _posted_by_program(request):
        return JSONResponse({"code": error.code, "message": error.message}, error.status, headers)
    return frame.refusal(request, error)


def _posted_by_program(request: Request) -> bool:
    """Whether a vendor or a client, not a form, sends something to where nothing takes it: it cannot read a page."""
    return request.method not in ("GET", "HEAD") and "text/html" not in request.headers.get("accept", "")


def _refusing(frame: Frame, scope: Scope, error: RefusedError) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    return _refuse(frame, Request(scope), error)


def _say_no(app: FastAPI, frame: Frame) -> None:
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)  # noqa: S101 - registered for nothing else
        return _refuse(frame, request, error)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
        answer = _refuse(frame, request, RefusedError(error.status_code))
        for name, value in (error.headers or {}).items():
            answer.headers[name] = value
        return answer

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
        return _refuse(frame, request, RefusedError(400, _says(error.errors()[0]), code="bad_parameter"))

    async def down(request: Request, error: Exception) -> Response:
        _log.warning("web.database_failed", extra={"path": request.url.path, "error": type(error).__name__})
        return _refuse(frame, request, RefusedError(503))

    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(SQLAlchemyError, down)


def _says(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"][1:]) or "request"
    return f"{where}: {error['msg']}"
