"""Read a request's body: as it comes, never more than is allowed, neither as sent nor after decompression."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

from hub.ingest.answers import RefusedError

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

_EITHER: Final = 32 + zlib.MAX_WBITS  # zlib's own mark for "gzip or zlib, see the header"


class GoneError(Exception):
    """Whoever was sending has hung up; nobody waits for an answer."""


class Budget:
    """Bytes of bodies in memory, all requests together: a sender of many costs others an answer of 503, not us.

    Args:
        most: bytes.
    """

    def __init__(self, most: int) -> None:
        self.left = most

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """One request's share: call what this gives with bytes to hold; it raises `RefusedError` (503) at the end."""
        held = 0

        def hold(many: int) -> None:
            nonlocal held
            if many > self.left:
                raise RefusedError(503, "too_busy", "too many bodies at once", retry_after="1")
            self.left -= many
            held += many

        try:
            yield hold
        finally:
            self.left += held


class _Unpacker(Protocol):
    def feed(self, chunk: bytes) -> bytes: ...
    def finish(self) -> None: ...


async def read_body(
    receive: Receive, headers: Mapping[str, str], most: int, patience: float, hold: Callable[[int], None]
) -> bytes:
    """The whole body, decompressed.

    Args:
        receive: of the ASGI server.
        headers: of the request, names in lower case.
        most: bytes, both as sent and after decompression.
        patience: seconds in which all of it must have come.
        hold: told of every so many bytes that are now in memory; may raise.

    Raises:
        RefusedError: 408, 413, 415, or 400 for what cannot be decompressed.
        GoneError: the client hung up.
    """
    unpacker = _unpacker(headers.get("content-encoding", ""), most)
    announced = headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > len(str(most)) or int(announced) > most):
        raise _too_large(most)
    sent, parts = 0, []
    try:
        async with asyncio.timeout(patience):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise GoneError
                chunk = message.get("body", b"")
                sent += len(chunk)
                if sent > most:
                    raise _too_large(most)
                parts.append(unpacker.feed(chunk))
                hold(len(parts[-1]))
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise RefusedError(
            408, "too_slow", f"the body did not arrive within {patience:g} seconds", connection="close"
        ) from None
    unpacker.finish()
    return b"".join(parts)


def _unpacker(encoding: str, most: int) -> _Unpacker:
    match encoding.strip().lower():
        case "" | "identity":
            return _AsItIs()
        case "gzip" | "x-gzip" | "deflate":
            return _Inflated(most)
        case _:
            raise RefusedError(
                415,
                "unsupported_encoding",
                "the body's Content-Encoding is none of gzip, deflate, identity",
                accept_encoding="gzip, deflate, identity",
            )


class _AsItIs:
    def feed(self, chunk: bytes) -> bytes:
        return chunk

    def finish(self) -> None:
        """Whatever came is whole."""


class _Inflated:
    """gzip, of one member or several, or zlib. Never more than one byte beyond `most` is unpacked."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most
        self._stream = zlib.decompressobj(_EITHER)
        self._begun = False

    def feed(self, chunk: bytes) -> bytes:
        parts = []
        while chunk:
            if self._stream.eof:
                self._stream = zlib.decompressobj(_EITHER)
            self._begun = True
            try:
                part = self._stream.decompress(chunk, self._left + 1)
            except zlib.error:
                raise RefusedError(400, "bad_encoding", "the body is not what its Content-Encoding says") from None
            self._left -= len(part)
            if self._left < 0:
                raise _too_large(self._most)
            parts.append(part)
            chunk = self._stream.unused_data
        return b"".join(parts)

    def finish(self) -> None:
        if self._begun and not self._stream.eof:
            raise RefusedError(400, "bad_encoding", "the compressed body ends too early")


def _too_large(most: int) -> RefusedError:
    return RefusedError(413, "too_large", f"the body is larger than {most} bytes, as sent or decompressed")
