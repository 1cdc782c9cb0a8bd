"""`/healthz`, `/readyz`, `/metrics` of a process that shows no pages: few lines of ASGI, no framework."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from hub import metrics
from hub.web.proofs import Proofs

_JSON: Final = "application/json"
_Send = Callable[[Mapping[str, Any]], Awaitable[None]]
_Answer = tuple[int, str, bytes]
_NUMBERS: Final = "/metrics"


def create_probes(
    dying: Callable[[], Sequence[str]],
    unable: Callable[[], Sequence[str]],
    exposition: Callable[[], bytes] = metrics.exposition,
    proofs: Proofs | None = None,
) -> Callable[[Mapping[str, Any], Any, _Send], Awaitable[None]]:
    """An ASGI application, asked by address. Probes need no token, so they must tell no address and no customer.

    Args:
        dying: why only a restart helps; empty while it lives.
        unable: why it cannot do its work now.
        exposition: numbers for Prometheus. All three are called in a thread of their own and may wait.
        proofs: where there is a token, whoever wants the numbers must bear it, as on the pages' port.
    """

    def healthz() -> _Answer:
        reasons = list(dying())
        return _judged(reasons, "not alive") if reasons else (200, _JSON, b'{"status":"ok"}')

    def readyz() -> _Answer:
        return _judged([*dying(), *unable()], "not ready")

    def numbers() -> _Answer:
        return 200, metrics.CONTENT_TYPE, exposition()

    answers = {"/healthz": healthz, "/readyz": readyz, _NUMBERS: numbers}

    async def probes(scope: Mapping[str, Any], _receive: Any, send: _Send) -> None:
        answer = answers.get(scope["path"]) if scope["method"] in ("GET", "HEAD") else None
        if answer is None:
            status, kind, body = 404, _JSON, b'{"code":"not_found"}'
        elif scope["path"] == _NUMBERS and not _may(scope, proofs):
            status, kind, body = 401, _JSON, b'{"code":"token_needed"}'
        else:
            status, kind, body = await asyncio.to_thread(answer)
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})

    return probes


def _may(scope: Mapping[str, Any], proofs: Proofs | None) -> bool:
    if proofs is None or not proofs.needed:
        return True
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    return proofs.borne(given.decode("latin-1"))


def _judged(reasons: list[str], otherwise: str) -> _Answer:
    said = {"status": otherwise if reasons else "ok", "reasons": reasons}
    return 503 if reasons else 200, _JSON, msgspec.json.encode(said)
