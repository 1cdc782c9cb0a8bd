"""Our own style sheet, scripts and icon; nothing else is served from disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi.responses import Response

from hub.web.guard import Receive, Scope, Send
from hub.web.refusal import RefusedError
from hub.web.render import STATIC

_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Statics:
    """An ASGI application that holds the files in memory; addresses with a version may be kept for a year."""

    def __init__(self) -> None:
        self._files = {path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in STATIC.iterdir()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a file."""
        found = self._files.get(scope["path"].rsplit("/", 1)[-1])
        if found is None:
            raise RefusedError(404)
        kept = "public, max-age=31536000, immutable" if scope["query_string"] else "no-cache"
        await Response(found[0], media_type=found[1], headers={"cache-control": kept})(scope, receive, send)
