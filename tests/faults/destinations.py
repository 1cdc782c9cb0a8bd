"""Where the company's health is shown: stand-ins that fail three times in ten, and remember all they ever showed."""

import asyncio
import json
import random
import threading
from collections import Counter, defaultdict
from contextlib import suppress

from starlette.responses import PlainTextResponse

from hub.demo.inbox import Inbox
from hub.serving import Serving

RATE = 0.3
SHOWN = ("health", "band", "risk", "drivers")
HANG = 20.0  # seconds: longer than a webhook waits


class Faulty:
    """An ASGI application in front of another: some requests are answered 429 or 500, some fail after they applied."""

    def __init__(self, app, seed: int) -> None:
        self.rate = RATE
        self.counts: Counter[str] = Counter()
        self._app = app
        self._chance = random.Random(seed)

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http" or self._chance.random() >= self.rate:
            await self._app(scope, receive, send)
            return
        how = self._chance.choices(["429", "500", "applied, then 504", "applied, then silence"], [4, 4, 4, 0.3])[0]
        self.counts[how] += 1
        if how == "429":
            await PlainTextResponse("too many", 429, {"retry-after": "1"})(scope, receive, send)
        elif how == "500":
            await PlainTextResponse("out of order", 500)(scope, receive, send)
        else:
            await self._app(scope, receive, _nowhere)
            if how.endswith("silence"):
                await asyncio.sleep(HANG)
            await PlainTextResponse("the backend took too long", 504)(scope, receive, send)


async def _body(receive) -> bytes | None:
    """None: whoever called is gone."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _nowhere(_message) -> None:
    """An answer nobody gets."""


class Receiver:
    """Takes the signed webhooks of every health: account -> the values shown, in order."""

    def __init__(self) -> None:
        self.shown: dict[str, list[dict]] = defaultdict(list)

    async def __call__(self, scope, receive, send) -> None:
        body = await _body(receive)
        if body is None:
            return
        data = json.loads(body)
        if data["type"] == "account.health":
            self.shown[data["data"]["account"]].append({name: data["data"][name] for name in SHOWN})
        await PlainTextResponse("ok")(scope, receive, send)


class Organizations:
    """Zendesk's organizations API, of which some records are locked when a batch is written: partial success."""

    def __init__(self, sandbox, seed: int) -> None:
        self.sandbox = sandbox
        self.shown: dict[int, list[dict]] = defaultdict(list)
        self.partial = 0
        self.rate = RATE
        self._chance = random.Random(seed)
        sandbox.faults.limit = 1_000_000

    async def __call__(self, scope, receive, send) -> None:
        if not scope["path"].startswith("/api/v2/organizations/update_many"):
            await self.sandbox.app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return
        ids = [int(one["id"]) for one in json.loads(body)["organizations"]]
        locked: set[int] = set()
        if self._chance.random() < self.rate:
            locked = {one for one in ids if self._chance.random() < 0.5}
            self.partial += 1
        self.sandbox.faults.locked = locked

        async def again():
            return {"type": "http.request", "body": body, "more_body": False}

        await self.sandbox.app(scope, again, send)
        for number in ids:
            fields = self.sandbox.organizations.get(number, {}).get("organization_fields", {})
            if number not in locked and fields.get("pulsehub_as_of"):
                self.shown[number].append({k: v for k, v in fields.items() if k.startswith("pulsehub_")})


class Mail(Inbox):
    """An SMTP server that says "not now" now and then."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.rate = RATE
        self.declined = 0
        self._chance = random.Random(seed)

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 - aiosmtpd's own name
        if self._chance.random() < self.rate:
            self.declined += 1
            return "451 not now"
        return await super().handle_DATA(server, session, envelope)


class Destinations:
    """All of them, on sockets of their own."""

    def __init__(self, zendesk, seed: int, host: str = "127.0.0.1") -> None:
        self.receiver = Receiver()
        self.organizations = Organizations(zendesk, seed + 1)
        self._zendesk = zendesk
        self._faulty = [Faulty(self.receiver, seed + 2), Faulty(self.organizations, seed + 3)]
        self._servings = [Serving(one, host) for one in self._faulty]
        self.mail = Mail(seed + 4)
        self.lock = threading.Lock()

    def start(self) -> None:
        for serving in self._servings:
            serving.start()
        self.mail.start()

    def stop(self) -> None:
        for serving in self._servings:
            serving.stop()
        with suppress(RuntimeError):
            self.mail.stop()

    def settings(self) -> dict[str, str]:
        return {
            "PULSEHUB_WEBHOOK_URL": self._servings[0].url + "/in",
            "PULSEHUB_WEBHOOK_SIGNING_SECRET": "a secret of the fault harness",
            "PULSEHUB_WEBHOOK_PUSH_FIELDS": "true",
            "PULSEHUB_SMTP_URL": self.mail.smtp_url,
            "PULSEHUB_ALERTS_TO": "success@pulsehub.example",
            "PULSEHUB_ZENDESK_PER_MINUTE": "6000",
        } | self._zendesk.settings(self._servings[1].url)

    def fail(self, rate: float) -> None:
        """How often, from now on."""
        for one in (*self._faulty, self.organizations, self.mail):
            one.rate = rate

    def failures(self) -> dict[str, int]:
        counts = sum((one.counts for one in self._faulty), Counter())
        return dict(counts) | {"partial success": self.organizations.partial, "451": self.mail.declined}
