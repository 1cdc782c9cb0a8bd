"""A real SMTP server that keeps what it is given, and a page that shows it: where the demo's mail arrives.

For the demo and for tests: it takes anything from anybody, so it listens on the loopback address only.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Final, Self

import jinja2
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from hub.serving import Serving

_KEPT: Final = 1_000
_LARGEST: Final = 2_000_000  # bytes of one mail
_HOST: Final = "127.0.0.1"
_OURS: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'none'"
# what a mail brings along may look like something, and open a link in a new tab; it may do nothing else
_THEIRS: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
_templates: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("hub.demo"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it came.

    Attributes:
        number: 1 for the first.
        at: when it came; aware.
        sender: of the envelope.
        to: the addressees of the envelope.
        raw: its bytes.
    """

    number: int
    at: datetime
    sender: str
    to: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        parsed = message_from_bytes(self.raw, policy=default)
        assert isinstance(parsed, EmailMessage)  # noqa: S101 - what this policy makes
        return parsed

    @property
    def subject(self) -> str:
        """What it is about."""
        return str(self.message["Subject"] or "(no subject)")

    def part(self, kind: str) -> str:
        """Its `plain` or `html` part; empty where it has none."""
        found = self.message.get_body((kind,))
        return str(found.get_content()).replace("\r\n", "\n") if found else ""


class Inbox:
    """An SMTP server and its page, each in a thread of its own.

    >>> with Inbox() as inbox:
    ...     inbox.smtp_url.partition(":")[0], inbox.mails
    ('smtp', [])

    Args:
        smtp_port: port for mail; 0 takes a free one.
        port: port for the page; 0 takes a free one.
    """

    def __init__(self, smtp_port: int = 0, port: int = 0) -> None:
        self._kept: deque[Mail] = deque(maxlen=_KEPT)
        self._count = 0
        self._smtp_port = smtp_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        self._listening: Future[int] = Future()
        self.app = Starlette(
            routes=[
                Route("/", self._list),
                Route("/mail/{number:int}", self._show),
                Route("/mail/{number:int}/html", self._html),
            ],
        )
        self._page = Serving(self.app, _HOST, port)
        self.url = self._page.url

    @property
    def mails(self) -> list[Mail]:
        """Everything kept, oldest first."""
        return list(self._kept)

    @property
    def smtp_url(self) -> str:
        """What `PULSEHUB_SMTP_URL` is set to; once started."""
        return f"smtp://{_HOST}:{self._listening.result(timeout=10)}"

    def start(self) -> Self:
        """Take mail and show it; returns once both can be reached."""
        self._thread.start()
        self._listening.result(timeout=10)
        self._page.start()
        return self

    def stop(self) -> None:
        """Take no more; what came can still be read from `mails`."""
        self._page.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802 - aiosmtpd's own name and shape
        """Keep one mail."""
        self._count += 1
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        mail = Mail(self._count, datetime.now(UTC), envelope.mail_from or "", tuple(envelope.rcpt_tos), raw)
        self._kept.append(mail)
        return "250 kept"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            server = self._loop.run_until_complete(
                self._loop.create_server(self._protocol, _HOST, self._smtp_port),
            )
        except OSError as error:
            self._listening.set_exception(error)
            return
        self._listening.set_result(server.sockets[0].getsockname()[1])
        self._loop.run_forever()
        server.close()
        waiting = asyncio.all_tasks(self._loop)
        for task in waiting:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
        self._loop.close()

    def _protocol(self) -> SMTP:
        return SMTP(self, data_size_limit=_LARGEST, enable_SMTPUTF8=True, hostname="inbox", loop=self._loop)

    async def _list(self, _request: Request) -> Response:
        return _page("inbox.html", mails=self.mails[::-1])

    async def _show(self, request: Request) -> Response:
        mail = self._find(request)
        return _page("mail.html", mail=mail, text=mail.part("plain"), html=bool(mail.part("html")))

    async def _html(self, request: Request) -> Response:
        return HTMLResponse(self._find(request).part("html"), headers={"content-security-policy": _THEIRS})

    def _find(self, request: Request) -> Mail:
        for mail in self.mails:
            if mail.number == request.path_params["number"]:
                return mail
        raise HTTPException(404, "There is no such mail; the list shows those that are kept.")


def _page(name: str, **shown: Any) -> HTMLResponse:
    page = _templates.get_template(name).render(now=datetime.now(UTC), **shown)
    return HTMLResponse(page, headers={"content-security-policy": _OURS, "x-content-type-options": "nosniff"})
