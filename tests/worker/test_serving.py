"""An application on a socket."""

import socket

import httpx
import pytest

from hub import ConfigError
from hub.serving import Serving


class App:
    """Handed over as a bound method, as the hub does."""

    async def answer(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": scope["path"].encode()})


def test_it_answers_from_its_start_to_its_stop():
    with Serving(App().answer) as serving:
        assert httpx.get(f"{serving.url}/here").text == "/here"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{serving.url}/here")


def test_it_answers_on_the_other_loopback_address_too():
    with Serving(App().answer, "::1") as serving:
        assert serving.url.startswith("http://[::1]:")
        assert httpx.get(f"{serving.url}/here").text == "/here"


def test_an_address_that_is_taken_or_not_ours_is_said_so():
    with Serving(App().answer) as serving, pytest.raises(ConfigError, match="--port"):
        Serving(App().answer, port=serving.port)
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"):
        Serving(App().answer, "192.0.2.1")


def test_a_server_that_was_never_started_can_be_stopped():
    Serving(App().answer).stop()


def test_answers_do_not_wait_for_acknowledgements():
    """asyncio switches Nagle's algorithm off only where a socket says that it is TCP; else 40 ms an answer."""
    serving = Serving(App().answer)
    assert serving._socket.proto == socket.IPPROTO_TCP
    serving.stop()
