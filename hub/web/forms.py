"""Forms: how they are read and whose they are; sign in, sign out, choose a theme."""

from __future__ import annotations

import time
from typing import Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from hub.web.frame import Frame
from hub.web.proofs import SESSION_COOKIE, SESSION_SECONDS, Proofs
from hub.web.refusal import RefusedError
from hub.web.render import THEMES

_MOST: Final = 65_536  # bytes
_FIELDS: Final = 100
_YEAR: Final = 365 * 86_400


async def read(request: Request, most: int = _MOST, fields: int = _FIELDS) -> dict[str, str]:
    """A form's last values.

    Raises:
        RefusedError: it is larger than ours, `most` bytes and so many fields.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise RefusedError(413)
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=fields))
    except ValueError:
        raise RefusedError(413) from None


async def checked(request: Request, proofs: Proofs, most: int = _MOST, fields: int = _FIELDS) -> dict[str, str]:
    """A form's last values, if one of our pages sent it.

    Raises:
        RefusedError: it carries no token of ours.
    """
    form = await read(request, most, fields)
    if not proofs.is_form(form.get("form_token", "")):
        raise RefusedError(
            403,
            "This page was open for too long, or was not ours. Nothing was changed: go back, reload, try again.",
            code="stale_form",
            title="Please try again",
        )
    return form


def router(frame: Frame, proofs: Proofs) -> APIRouter:
    """The routes of a person's own forms."""
    routes = APIRouter(include_in_schema=False)
    context = frame.site.context
    secure = context.settings.public_url.startswith("https://")

    @routes.post("/login")
    async def login(request: Request) -> Response:
        form = await read(request)
        if not proofs.knows(form.get("token", "").strip()):
            raise RefusedError(401, "That is not the token. It is the value of PULSEHUB_API_TOKEN.", code="wrong_token")
        answer = RedirectResponse(inside(form.get("next", "/")), 303)
        answer.set_cookie(
            SESSION_COOKIE, proofs.cookie(time.time()), SESSION_SECONDS, httponly=True, samesite="strict", secure=secure
        )
        return answer

    @routes.post("/logout")
    async def logout(request: Request) -> Response:
        await checked(request, proofs)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict", secure=secure)
        return answer

    @routes.post("/theme")
    async def theme(request: Request) -> Response:
        form = await checked(request, proofs)
        chosen = form.get("theme", "auto")
        answer = RedirectResponse(inside(form.get("next", "/")), 303)
        answer.set_cookie("theme", chosen if chosen in THEMES else "auto", _YEAR, samesite="strict", secure=secure)
        return answer

    return routes


def inside(address: str) -> str:
    """Where to go after a form: an address of ours, whatever was asked.

    >>> inside("/accounts/a?tab=ledger"), inside("//evil.test/"), inside("https://evil.test")
    ('/accounts/a?tab=ledger', '/', '/')
    """
    safe = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if safe else "/"
