"""`/healthz`, `/readyz`, `/metrics` of a process that shows no pages: few lines of ASGI, no framework."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from hub import metrics

_JSON: Final = "application/json"
_Send = Callable[[Mapping[str, Any]], Awaitable[None]]
_Answer = tuple[int, str, bytes]


def create_probes(
    dying: Callable[[], Sequence[str]],
    unable: Callable[[], Sequence[str]],
    exposition: Callable[[], bytes] = metrics.exposition,
) -> Callable[[Mapping[str, Any], Any, _Send], Awaitable[None]]:
    """An ASGI application; without a token, so what it is handed must tell no address and nothing of customers.

    Args:
        dying: why only a restart helps; empty while it lives.
        unable: why it cannot do its work now.
        exposition: numbers for Prometheus. All three are called in a thread of their own and may wait.
    """

    def healthz() -> _Answer:
        reasons = list(dying())
        return _judged(reasons, "not alive") if reasons else (200, _JSON, b'{"status":"ok"}')

    def readyz() -> _Answer:
        return _judged([*dying(), *unable()], "not ready")

    def numbers() -> _Answer:
        return 200, metrics.CONTENT_TYPE, exposition()

    answers = {"/healthz": healthz, "/readyz": readyz, "/metrics": numbers}

    async def probes(scope: Mapping[str, Any], _receive: Any, send: _Send) -> None:
        answer = answers.get(scope["path"]) if scope["method"] in ("GET", "HEAD") else None
        status, kind, body = await asyncio.to_thread(answer) if answer else (404, _JSON, b'{"code":"not_found"}')
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})

    return probes


def _judged(reasons: list[str], otherwise: str) -> _Answer:
    said = {"status": otherwise if reasons else "ok", "reasons": reasons}
    return 503 if reasons else 200, _JSON, msgspec.json.encode(said)
