"""An ASGI application on a socket, in a thread and an event loop of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self

import uvicorn

from hub.sdk.errors import ConfigError

_PATIENCE = 30.0  # seconds for a start or a stop


class Serving:
    """A running server; `url` says where.

    Args:
        app: the ASGI application.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        drain: seconds that open requests are given when it stops.

    Raises:
        ConfigError: the address cannot be had.
    """

    def __init__(
        self, app: Callable[..., Awaitable[Any]], host: str = "127.0.0.1", port: int = 0, drain: int = 3
    ) -> None:
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                interface="asgi3",  # else it guesses, and takes a bound method for something older
                log_level="warning",
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=drain,
                backlog=2048,
                h11_max_incomplete_event_size=65_536,
            ),
        )
        self._thread = threading.Thread(target=self._run, name=f"serving-{self.port}", daemon=True)

    def start(self) -> Self:
        """Serve; returns once requests are answered."""
        self._thread.start()
        waited_until = time.monotonic() + _PATIENCE
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > waited_until:
                raise ConfigError(f"the server at {self.url} did not start")
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Answer what is open, then stop."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(_PATIENCE)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # said to be TCP, or asyncio does not see that it is, and answers wait 40 ms for an acknowledgement (Nagle)
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port") from None
    return listening
