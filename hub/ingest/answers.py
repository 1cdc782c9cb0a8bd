"""What the door says: counts when it took something, a code and a sentence when it did not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

Send = Callable[[Mapping[str, Any]], Awaitable[None]]

_FOR_NOW: Final = frozenset({408, 503})


class RefusedError(Exception):
    """The request is not taken.

    Args:
        status: the HTTP status that says so.
        code: the same as a word, for programs.
        message: the same in a sentence, for people.
        headers: what else the answer carries.
    """

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    @property
    def final(self) -> bool:
        """Whether the same request would be refused again."""
        return self.status not in _FOR_NOW


async def say(send: Send, status: int, document: Any, headers: Mapping[str, str] | None = None) -> None:
    """Answer with one JSON document."""
    await reply(send, status, msgspec.json.encode(document), "application/json", headers)


async def reply(
    send: Send, status: int, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
) -> None:
    """Answer with these bytes."""
    head = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body))]
    head += [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
