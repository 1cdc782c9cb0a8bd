"""`/live`: what changed on the page somebody has open, as server-sent events.

The server renders the page's live parts again when something happened that concerns them, at most once a second, and
sends those that differ from what it sent last. When it has become quiet it looks once more, since the first look may
have met an answer that was remembered (`hub.web.memo`, `context.hot`); and then every half minute, since "3 min ago"
grows old.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, Literal

import msgspec
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import SQLAlchemyError

from hub.store.live import Subscription
from hub.web.frame import Frame
from hub.web.page import IDLE, Page
from hub.web.refusal import RefusedError
from hub.web.render import digest
from hub.web.routing import look_up

PACE: Final = 1.0  # seconds between two sendings
SETTLE: Final = 2.5  # seconds after the last news until a page is looked at once more; longer than memories last
RETRY: Final = 2_000  # milliseconds a browser waits before it comes back
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}  # proxies must not hold it back


def router(frame: Frame) -> APIRouter:
    """The route of the live stream."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/live")
    async def live(request: Request, page: str = "/") -> StreamingResponse:
        found = look_up(page)
        if found is None:
            raise RefusedError(404)
        view, asked = found

        def render() -> tuple[Page, dict[str, str]]:
            made = view(frame.site, asked)
            return made, frame.partials(request, made)

        return StreamingResponse(
            _changes(frame.site.context.live.subscribe(), render), 200, _HEADERS, "text/event-stream"
        )

    return routes


async def _changes(news: Subscription, render: Callable[[], tuple[Page, dict[str, str]]]) -> AsyncIterator[str]:
    sent: dict[str, str] = {}
    first: tuple[str, ...] | None = None
    yield f"retry: {RETRY}\n\n"
    with news:
        waiting, idle, patience = _Waiting(news), IDLE, IDLE
        try:
            while True:
                try:
                    page, partials = await run_in_threadpool(render)
                except (SQLAlchemyError, RefusedError):
                    yield _event("trouble", {})
                    topics: frozenset[str] = frozenset()
                else:
                    topics, idle = page.topics, page.idle
                    patience = min(patience, idle)
                    if page.live != (first := first or page.live):
                        yield _event("other", {})  # it has other parts now: the first customer came, say
                        return
                    for name, html in partials.items():
                        if sent.get(name) != (mark := digest(html)):
                            sent[name] = mark
                            yield _event("partial", {"name": name, "digest": mark, "html": html})
                    yield _event("seen", {})
                await asyncio.sleep(PACE)
                match await waiting.for_any(topics, patience):
                    case "news":
                        patience = SETTLE
                    case "quiet":
                        patience = idle
                    case "end":
                        return
        finally:
            waiting.stop()


class _Waiting:
    """Waits for news of some topics, without ever cancelling a read half done."""

    def __init__(self, news: Subscription) -> None:
        self._news = news
        self._next: asyncio.Task[str | None] | None = None

    async def for_any(self, topics: frozenset[str], patience: float) -> Literal["news", "quiet", "end"]:
        """Wait for something of `topics`, so many seconds at most; `end`: there is no more to come."""
        deadline = asyncio.get_running_loop().time() + patience
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            self._next = self._next or asyncio.ensure_future(self._read())
            done, _ = await asyncio.wait({self._next}, timeout=left)
            if not done:
                return "quiet"
            topic, self._next = self._next.result(), None
            if topic is None:
                return "end"
            if topic in topics:
                return "news"
        return "quiet"

    def stop(self) -> None:
        """Read no more."""
        if self._next is not None:
            self._next.cancel()

    async def _read(self) -> str | None:
        try:
            return (await anext(self._news)).topic
        except StopAsyncIteration:
            return None


def _event(name: str, data: dict[str, str]) -> str:
    return f"event: {name}\ndata: {msgspec.json.encode(data).decode()}\n\n"
