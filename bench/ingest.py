"""`ingest`: events the door takes, durably.

Measured: Segment batches of 100 calls, posted to `/v1/batch` over a few kept connections; each is answered when its
events are on disk. The server is a process of its own with the real door and plugin: it verifies the key, cuts, reads,
normalizes, resolves identity, looks every id up, appends with full sync. `ingest` is events per processor second of
that server, its threads together (Python runs on one core at a time). `ingest.wall` is by the clock, on whatever this
machine has left. `ingest.beside_scoring` is by the clock as well, against all of `pulsehub up`, which scores what
comes in at the same time, in the same interpreter.

Left out: TLS, and a network. The client sends bytes made beforehand, so that it costs next to nothing.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from bench.child import UP, Child
from bench.installation import installation
from bench.result import Result, at_least, median, told
from bench.traffic import traffic

EVENTS = 60_000
BATCH = 100
CONNECTIONS = 4
ROUNDS = 3
_KEY = "a write key"
SETTINGS = {"PULSEHUB_SEGMENT_WRITE_KEY": _KEY, "PULSEHUB_MAX_LAG": "1000000000"}
_DOOR = ("-m", "bench.door")


class Took(NamedTuple):
    """Seconds, by the clock and of the server's processor."""

    wall: float
    cpu: float


def run(events: int = EVENTS, rounds: int = ROUNDS) -> list[Result]:
    share = events // rounds
    with installation(0) as folder, Child(_DOOR, folder, SETTINGS) as door:
        post(door, requests(door, 10 * BATCH, seed=1_000))  # the first ones import and compile
        alone = [post(door, requests(door, share, seed=turn)) for turn in range(rounds)]
    with installation(0) as folder, Child(UP, folder, SETTINGS) as whole:
        post(whole, requests(whole, 10 * BATCH, seed=1_000))
        beside = post(whole, requests(whole, share, seed=0))
    return [
        at_least("ingest", median([share / took.cpu for took in alone]), "events/s of a core", 10_000),
        told("ingest.wall", median([share / took.wall for took in alone]), "events/s"),
        told("ingest.beside_scoring", share / beside.wall, "events/s"),
    ]


def requests(child: Child, events: int, *, seed: int) -> list[bytes]:
    """HTTP requests with so many calls in all, none of them known yet."""
    calls = [call(f"{seed}-{place}", one.event) for place, one in enumerate(traffic(events, 10_000, seed=seed))]
    return [request(child, calls[first : first + BATCH]) for first in range(0, len(calls), BATCH)]


def post(child: Child, bodies: Sequence[bytes]) -> Took:
    """Post all of them, over a few connections at once; every answer must say that all is kept."""
    failed: list[bytes] = []
    cpu, began = child.cpu(), time.perf_counter()
    threads = [
        threading.Thread(target=_drive, args=(child, bodies[first::CONNECTIONS], failed))
        for first in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = Took(time.perf_counter() - began, child.cpu() - cpu)
    assert not failed, f"not accepted: {failed[0][:500]!r}"
    return took


def _drive(child: Child, bodies: Sequence[bytes], failed: list[bytes]) -> None:
    where = urlsplit(child.url)
    with socket.create_connection((str(where.hostname), int(where.port or 0))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for body in bodies:
            connection.sendall(body)
            said = answer(connection)
            if not said.startswith(b"HTTP/1.1 200"):
                failed.append(said)
                return


def answer(connection: socket.socket) -> bytes:
    """One HTTP answer, whole."""
    got = b""
    while True:
        piece = connection.recv(65_536)
        got += piece
        head, behind, body = got.partition(b"\r\n\r\n")
        if not piece or (behind and len(body) >= _length(head)):
            return got


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])


def call(key: str, event: object) -> dict[str, object]:
    """What Segment sends when somebody of the event's account uses the product."""
    reference = str(getattr(event, "account", "")).rpartition(":")[2]
    now = datetime.now(UTC).isoformat()
    return {
        "type": "track",
        "messageId": f"bench-{key}",
        "userId": f"u-{reference}-{key[-1]}",
        "event": f"Feature {key[-1]}",
        "properties": {"source": "bench", "value": 1.5},
        "context": {"groupId": f"group-{reference}", "library": {"name": "analytics-python", "version": "2.3.4"}},
        "timestamp": now,
        "originalTimestamp": now,
    }


def request(child: Child, calls: Sequence[dict[str, object]]) -> bytes:
    """An HTTP request with these calls."""
    body = json.dumps({"batch": calls, "sentAt": datetime.now(UTC).isoformat()}).encode()
    shown = base64.b64encode(f"{_KEY}:".encode()).decode()
    head = (
        f"POST /v1/batch HTTP/1.1\r\nHost: {urlsplit(child.url).netloc}\r\nAuthorization: Basic {shown}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
