"""What every sandbox promises, as a test class to inherit."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Final
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest

from hub.sdk.contracts import Source, Webhook
from hub.sdk.errors import RejectedError
from hub.sdk.events import Event
from hub.sdk.sandbox import Ping, Sandbox
from hub.sdk.testing.source import check_event, listen

AT: Final = datetime(2026, 3, 1, 10, tzinfo=UTC)


def _event(kind: str, **parts: object) -> Event:
    known = {"id": f"demo:{kind}", "kind": kind, "account": "northwind", "occurred_at": AT}
    return msgspec.convert(known | parts, Event)


EXAMPLES: Final[Mapping[str, Event]] = {
    e.kind: e
    for e in (
        _event(
            "account.updated",
            properties={
                "name": "Northwind Traders",
                "domain": "northwind.example",
                "owner": "Robin",
                "owner_email": "robin@pulsehub.example",
                "plan": "team",
                "renewal_on": "2026-09-01",
            },
        ),
        _event("account.deleted"),
        _event(
            "contact.updated", contact="ada", properties={"email": "ada@northwind.example", "contact_name": "Ada King"}
        ),
        _event("contact.left", contact="ada"),
        _event("owner.changed", properties={"owner": "Kim", "owner_email": "kim@pulsehub.example"}),
        _event("opportunity.updated", entity="deal-1", amount=Decimal(5000), currency="EUR"),
        _event("opportunity.won", entity="deal-1", amount=Decimal(5000), currency="EUR"),
        _event("opportunity.lost", entity="deal-2", amount=Decimal(900), currency="EUR"),
        _event("contract.renewed", entity="deal-3", amount=Decimal(12000), currency="EUR"),
        _event(
            "ticket.opened",
            entity="ticket-7",
            contact="ada",
            text="It is broken — again\nPlease help ☹",
            properties={"priority": "urgent"},
        ),
        _event("ticket.replied", entity="ticket-7", contact="ada", text="Still broken"),
        _event("ticket.escalated", entity="ticket-7", properties={"priority": "urgent"}),
        _event("ticket.solved", entity="ticket-7"),
        _event("ticket.reopened", entity="ticket-7"),
        _event("csat.rated", entity="ticket-7", contact="ada", text="Thank you, that was quick"),
        _event(
            "subscription.started",
            entity="sub-1",
            amount=Decimal("199.50"),
            currency="EUR",
            properties={"plan": "team"},
        ),
        _event("subscription.changed", entity="sub-1", amount=Decimal("399.00"), currency="EUR"),
        _event("subscription.paused", entity="sub-1"),
        _event("subscription.resumed", entity="sub-1"),
        _event("subscription.cancelled", entity="sub-1"),
        _event("trial.ending", entity="sub-1"),
        _event("invoice.paid", entity="inv-1", amount=Decimal("199.50"), currency="EUR"),
        _event("invoice.failed", entity="inv-2", amount=Decimal("199.50"), currency="EUR"),
        _event("invoice.overdue", entity="inv-2", amount=Decimal("199.50"), currency="EUR"),
        _event("refund.issued", entity="inv-1", amount=Decimal("20.00"), currency="EUR"),
        _event("dispute.opened", entity="inv-1", amount=Decimal("199.50"), currency="EUR"),
        _event("usage.tracked", contact="ada", value=3.0, properties={"event": "Report exported"}),
        _event("session.started", contact="ada"),
        _event(
            "contact.identified",
            contact="ada",
            properties={"email": "ada@northwind.example", "contact_name": "Ada King"},
        ),
    )
}
"""One neutral event of each kind that a vendor may know, in bare keys; `SandboxContract.kinds` picks from them."""

ONCE: Final = frozenset(
    {
        "dispute.opened",
        "invoice.overdue",
        "invoice.paid",
        "subscription.cancelled",
        "subscription.started",
        "ticket.opened",
    }
)
"""What happens to one thing only once."""


class SandboxContract:
    """The promises every sandbox keeps: what it sends, its source understands as it was meant.

    Attributes:
        kinds: the kinds of `EXAMPLES` that the vendor knows.
        more: further events it must carry through (a value of each rating, a currency without cents, ...).
    """

    kinds: ClassVar[Collection[str]]
    more: ClassVar[Sequence[Event]] = ()

    def sandbox(self) -> Sandbox:
        """A new one, with no records."""
        raise NotImplementedError

    def source(self, settings: Mapping[str, str]) -> Source:
        """The vendor's source with these settings."""
        raise NotImplementedError

    def said(self, source: Source, pings: Sequence[Ping]) -> list[Event]:
        """What the source makes of the pings, which are stamped with the wall clock however old the news."""
        events = []
        for ping in pings:
            address = urlsplit(ping.path)
            headers = {name.lower(): value for name, value in ping.headers.items()}
            hook = Webhook(path=address.path, headers=headers, body=ping.body, query=dict(parse_qsl(address.query)))
            events += listen(source, hook, datetime.now(UTC))
        return events

    def test_what_happens_comes_back_as_it_was(self) -> None:
        for example in [*(EXAMPLES[kind] for kind in sorted(self.kinds)), *self.more]:
            sandbox, source = self._both()
            events = self.said(source, sandbox.happen(example))
            assert [e.kind for e in events] == [example.kind], example
            (event,) = events
            check_event(event, source.name)
            assert abs(event.occurred_at - example.occurred_at) < timedelta(seconds=1), example
            assert (event.amount, event.currency) == (example.amount, example.currency), example
            assert example.value is None or event.value == example.value, example
            assert event.text == example.text, example
            assert (event.entity is None) <= (example.entity is None), example
            kept = {k: event.properties.get(k) for k in ("email", "contact_name") if k in example.properties}
            assert kept == {k: example.properties[k] for k in kept}, example

    def test_one_customer_has_one_reference_and_another_another(self) -> None:
        sandbox, source = self._both()
        examples = [EXAMPLES[kind] for kind in sorted(self.kinds)]
        ours = self._references(source, sandbox, examples)
        theirs = self._references(source, sandbox, [msgspec.structs.replace(e, account="acme") for e in examples])
        assert len(ours) == len(theirs) == 1
        assert ours != theirs

    def test_the_customer_s_key_travels_so_that_vendors_agree_on_who_it_is(self) -> None:
        sandbox, source = self._both()
        carriers = [k for k in ("account.updated", "contact.identified") if k in self.kinds]
        assert carriers, "a vendor must say who its customers are"
        for kind in carriers:
            (event,) = self.said(source, sandbox.happen(EXAMPLES[kind]))
            assert event.properties.get("external_id") == "northwind"

    def test_the_same_again_later_is_another_event(self) -> None:
        sandbox, source = self._both()
        for kind in sorted(set(self.kinds) - {"account.deleted", "contact.left"}):
            entity = "another" if kind in ONCE else EXAMPLES[kind].entity
            again = msgspec.structs.replace(
                EXAMPLES[kind], id="demo:again", entity=entity, occurred_at=AT + timedelta(days=1)
            )
            first = self.said(source, sandbox.happen(EXAMPLES[kind]))
            second = self.said(source, sandbox.happen(again))
            assert {e.id for e in first}.isdisjoint(e.id for e in second), kind

    def test_a_fresh_sandbox_sends_the_same(self) -> None:
        (one, source), (two, _) = self._both(), self._both()
        for kind in sorted(self.kinds):
            assert self.said(source, one.happen(EXAMPLES[kind])) == self.said(source, two.happen(EXAMPLES[kind]))

    def test_kinds_the_vendor_does_not_know_send_nothing(self) -> None:
        sandbox, _ = self._both()
        stranger = msgspec.structs.replace(EXAMPLES["ticket.opened"], kind="shipment.delayed")
        assert list(sandbox.happen(stranger)) == []

    def test_its_pings_are_refused_when_touched(self) -> None:
        sandbox, source = self._both()
        (ping, *_) = sandbox.happen(EXAMPLES[min(self.kinds)])
        with pytest.raises(RejectedError):
            self.said(source, [dataclasses.replace(ping, path=urlsplit(ping.path).path, headers={}, body=b"{}")])

    def test_its_page_lists_what_it_holds(self) -> None:
        sandbox, _ = self._both()
        for kind in sorted(self.kinds):
            sandbox.happen(EXAMPLES[kind])

        async def look() -> httpx.Response:
            transport = httpx.ASGITransport(app=sandbox.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as http:
                return await http.get("/")

        page = asyncio.run(look())
        assert page.status_code == httpx.codes.OK
        assert page.headers["content-type"].startswith("text/html")
        assert "northwind" in page.text.lower()

    def test_nothing_echoes_before_anybody_wrote(self) -> None:
        sandbox, _ = self._both()
        assert list(sandbox.echoes()) == []

    def _references(self, source: Source, sandbox: Sandbox, examples: Sequence[Event]) -> set[str]:
        """Under what the customer goes, but for news that carries its key instead."""
        events = [e for one in examples for e in self.said(source, sandbox.happen(one))]
        carriers = {e.account for e in events if e.kind in ("account.updated", "contact.identified")}
        return carriers | {e.account for e in events if "external_id" not in e.properties}

    def _both(self) -> tuple[Sandbox, Source]:
        sandbox = self.sandbox()
        settings = sandbox.settings("http://127.0.0.1:9")
        assert all(name.startswith("PULSEHUB_") for name in settings)
        return sandbox, self.source(settings)
