"""The door: `POST /in/{connection}`, and the paths that sources declare.

One body at a time: read, verified, cut into records, normalized, resolved, appended once, answered. The answer is
given when the log has it durably, and nothing else is written, so there is nothing that could disagree.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from sqlalchemy.exc import SQLAlchemyError

from hub import metrics, tracing
from hub.ingest.answers import RefusedError, Send, reply, say
from hub.ingest.body import Budget, GoneError, Receive, read_body
from hub.ingest.intake import Intake, Parcel
from hub.ingest.pressure import Pressure
from hub.ingest.raw import keep
from hub.ingest.reading import cut, read, verify
from hub.sdk.contracts import Answering, Source, Webhook
from hub.streams.log import LogError

_log: Final = logging.getLogger("ingest")
_PREFIX: Final = "/in/"
_MOST_AT_ONCE: Final = 128  # bodies of the largest size in memory


class _Taken(NamedTuple):
    counts: dict[str, int]
    answer: tuple[bytes, str] | None  # body and content type, where a vendor wants its own


class Door:
    """An ASGI application.

    Args:
        sources: the configured connections.
        intake: what appends.
        pressure: what says "later".
        max_body: bytes, as sent and after decompression.
        patience: seconds in which a body must have come.
        versions: connection -> version of its plugin, for dead letters.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        intake: Intake,
        pressure: Pressure,
        *,
        max_body: int = 1_048_576,
        patience: float = 30.0,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        self._own = {path: source for source in sources for path in source.paths}
        self._named = {_PREFIX + source.name: source for source in sources}
        self._intake = intake
        self._pressure = pressure
        self._max_body = max_body
        self._patience = patience
        self._versions = versions or {}
        self._counts = {source.name: Counter[str]() for source in sources}
        self._budget = Budget(_MOST_AT_ONCE * max_body)
        self._down = False
        # one thread: what it does is Python, and two would only take turns; the loop stays free for others
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="door")

    def owns(self, path: str) -> bool:
        """Whether a request for this path is ours to answer."""
        return path.startswith(_PREFIX) or path in self._own

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request; never with a 5xx but 503."""
        path: str = scope["path"]
        source = self._own.get(path) or self._named.get(path)
        name, began = source.name if source else "unknown", time.perf_counter()
        try:
            taken = await self._take(source, scope, receive)
        except GoneError:
            return
        except RefusedError as refused:
            status = 400 if refused.final and path in self._own else refused.status
            metrics.ANSWERS.labels(name, status).inc()
            await say(send, status, {"code": refused.code, "message": str(refused)}, refused.headers)
            return
        metrics.ANSWERS.labels(name, 200).inc()
        metrics.ANSWERING.labels(name).observe(time.perf_counter() - began)
        if taken.answer is not None:
            await reply(send, 200, *taken.answer)
        else:
            await say(send, 200, taken.counts)

    def counted(self) -> dict[str, dict[str, int]]:
        """By connection: events accepted, duplicates and dead letters since the start."""
        return {name: dict(counts) for name, counts in self._counts.items()}

    def refuses(self) -> str | None:
        """Why nothing is taken now, or None. Looks at the disk, asks log and database: not for an event loop."""
        try:
            self._pressure.check()
        except RefusedError as refused:
            return str(refused)
        except SQLAlchemyError:
            return "the database does not answer"
        except LogError:
            return "the log does not answer"
        return "what comes could not be written down" if self._down else None

    def close(self) -> None:
        """Finish what is in hand."""
        self._thread.shutdown()

    async def _take(self, source: Source | None, scope: Mapping[str, Any], receive: Receive) -> _Taken:
        path: str = scope["path"]
        if source is None:
            raise RefusedError(404, "unknown_connection", "no connection of this name is configured")
        if scope["method"] != "POST":
            raise RefusedError(405, "method_not_allowed", "webhooks are POSTed", allow="POST")
        headers, query = _headers(scope["headers"]), _query(scope["query_string"])
        with self._budget.share() as hold:
            body = await read_body(receive, headers, self._max_body, self._patience, hold)
            hook = Webhook(path=path, headers=headers, body=body, query=query)
            parcel = await self._keep(source, hook)
        counts = {
            "accepted": parcel.accepted,
            "duplicates": parcel.duplicates,
            "dead_lettered": parcel.dead_lettered,
        }
        self._counts[source.name].update(counts)
        metrics.BODIES.labels(source.name).inc(len(body))
        for outcome, many in counts.items():
            metrics.TAKEN.labels(source.name, outcome).inc(many)
        return _Taken(counts, source.answer(hook) if isinstance(source, Answering) else None)

    async def _keep(self, source: Source, hook: Webhook) -> Parcel:
        try:
            loop = asyncio.get_running_loop()
            parcel, appended = await loop.run_in_executor(self._thread, self._append, source, hook)
            await asyncio.wrap_future(appended)
        except RefusedError:
            raise
        except Exception as error:  # noqa: BLE001 - a full disk, a database that cannot be read: later, not never
            if not self._down:
                _log.error("ingest.append_down", extra={"error": f"{type(error).__name__}: {error}"})
            self._down = True
            raise RefusedError(503, "cannot_keep", "it could not be written down", retry_after="10") from None
        if self._down:
            _log.warning("ingest.append_back")
            self._down = False
        return parcel

    def _append(self, source: Source, hook: Webhook) -> tuple[Parcel, Future[None]]:
        self._pressure.check()
        now = datetime.now(UTC)
        verify(source, hook, now)
        events, letters = read(source, cut(source, hook, now), now, self._versions.get(source.name, ""))
        raw = (source.name, keep(source.name, hook, now)) if source.keeps_raw else None
        parcel = self._intake.pack(events, now.timestamp(), letters, raw)
        appended = self._intake.append(parcel)
        if (traces := tracing.current()) is not None:
            told = [(one.digest, one.event.id) for one, new in zip(events, parcel.fresh, strict=True) if new]
            began = int(now.timestamp() * 1e9)

            def took(done: Future[None]) -> None:
                if done.exception() is None:
                    traces.took(source.name, told, began, time.time_ns())

            appended.add_done_callback(took)
        return parcel, appended


def _headers(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _query(text: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise RefusedError(400, "bad_query", "the query has too many parts") from None
