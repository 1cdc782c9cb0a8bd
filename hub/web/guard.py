"""Before any page: is this request addressed to us, from here, and may it?

ASGI middleware, outermost. It also puts the security headers on everything that leaves, and keeps slashes inside
references: `%2F` in a path stays what it is, so that `/api/accounts/segment:group:a%2Fb` has three parts, not four.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from hub.web import listen
from hub.web.context import Context
from hub.web.proofs import SESSION_COOKIE, Proofs
from hub.web.refusal import RefusedError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Refuse = Callable[[Scope, RefusedError], App]

_log: Final = logging.getLogger("web")
PROBES: Final = ("/healthz", "/readyz")  # asked by address, by machines that hold no token
NUMBERS: Final = "/metrics"  # asked by address, by a machine that does
OPEN: Final = ("/static/", "/login")
_POLICY: Final = b"default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
HEADERS: Final = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


class Guard:
    """Answers what may not pass itself, by `refuse`, and lets the rest through."""

    def __init__(self, app: App, *, context: Context, proofs: Proofs, refuse: Refuse) -> None:
        self._app = app
        self._doors = context.door_paths
        self._names = listen.names(context.settings)
        self._proofs = proofs
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or scope["path"].startswith(self._doors):
            await self._app(scope, receive, send)
            return
        scope["path"] = _keep_slashes(scope)
        app = self._app
        try:
            self._check(scope)
        except RefusedError as error:
            app = self._refuse(scope, error)

        begun = False

        async def sealed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *((k, v) for k, v in HEADERS if k not in given)]
            await send(message)

        try:
            await app(scope, receive, sealed)
        except Exception as error:
            _log.exception("web.failed", extra={"path": scope["path"], "error": type(error).__name__})
            if begun:
                raise  # half an answer is out: only the server can end it
            await self._refuse(scope, RefusedError(500))(scope, receive, sealed)

    def _check(self, scope: Scope) -> None:
        path: str = scope["path"]
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        if path in PROBES:
            return
        by_address = path == NUMBERS and self._proofs.needed
        if not by_address and listen.name_of(headers.get("host", "")) not in self._names:
            raise RefusedError(
                421,
                "This server answers to localhost and to the host of PULSEHUB_PUBLIC_URL, and the browser asked for "
                "another name. If the name is yours, set PULSEHUB_PUBLIC_URL to it and start again.",
                title="That is not our name",
            )
        if not self._proofs.needed:
            _check_here(scope, headers)
        elif not (path.startswith(OPEN) or self._proven(headers)):
            raise RefusedError(401)
        scope["signed_in"] = self._proofs.needed
        if scope["method"] not in ("GET", "HEAD"):
            _check_same_origin(headers)

    def _proven(self, headers: dict[str, str]) -> bool:
        if (given := headers.get("authorization", "")).lower().startswith("bearer "):
            return self._proofs.borne(given)
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        found = cookies.get(SESSION_COOKIE)
        return found is not None and self._proofs.is_session(found.value, time.time())


def _keep_slashes(scope: Scope) -> str:
    raw = scope.get("raw_path")
    if not raw:
        return str(scope["path"])
    parts = (unquote(part) for part in raw.split(b"?")[0].decode("latin-1").split("/"))
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


def _check_here(scope: Scope, headers: dict[str, str]) -> None:
    client = scope.get("client")
    proxied = "forwarded" in headers or "x-forwarded-for" in headers or "x-real-ip" in headers
    if proxied or (client and not listen.is_loopback(client[0])):
        raise RefusedError(
            403,
            "Without PULSEHUB_API_TOKEN, pages and API answer this machine only, and this request came from another. "
            "Set the token, start again, and sign in with it.",
            title="Only from this machine",
        )


def _check_same_origin(headers: dict[str, str]) -> None:
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    foreign = site not in (None, "same-origin", "none")
    if origin is not None:
        foreign |= urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    if foreign:
        raise RefusedError(
            403,
            "This form was sent by another site's page. Nothing was changed.",
            code="cross_site",
            title="Not from here",
        )
