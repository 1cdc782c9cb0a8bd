"""What every sink that speaks HTTP promises, as a test class to inherit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import httpx
import pytest

from hub.sdk.contracts import Delivery, Ok, Outcome, Pending, Reject, Retry, Sink
from hub.sdk.errors import CredentialsError, RateLimitedError, RetryLaterError
from hub.sdk.health import Driver, Health

HEALTH = Health(
    account="acc_1",
    at=1_772_359_200.0,
    health=41.0,
    band="at_risk",
    risk=0.31,
    base=70.0,
    drivers=[Driver("open_urgent_tickets", "3 urgent tickets open", -14.0, "support")],
    rest=-15.0,
    was=63.0,
    was_band="steady",
    name='Nörthwind "& Sons"',
)
"""A health as it arrives at a sink."""

Answer = Callable[[httpx.Request], httpx.Response]


def _saying(status: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    return lambda _: httpx.Response(status, text=text, headers=headers)


class SinkContract:
    """The promises every sink keeps, its destination being a `httpx.MockTransport`.

    Attributes:
        references: references of an account that the sink can serve.
        strangers: references of one it cannot; empty for a sink that serves everybody.
        believes_status: whether any 2xx means that the destination has it (a plain webhook).
    """

    references: ClassVar[Sequence[str]]
    strangers: ClassVar[Sequence[str]] = ()
    believes_status: ClassVar[bool] = False

    def sink(self, http: httpx.AsyncClient) -> Sink:
        """The sink, over this client."""
        raise NotImplementedError

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the destination answers when all is well."""
        raise NotImplementedError

    def is_login(self, request: httpx.Request) -> bool:  # noqa: ARG002 - for those that log in
        """Whether a request only fetches a token; those go on working when pushes fail."""
        return False

    def deliveries(self, sink: Sink, many: int) -> Sequence[Delivery]:
        """`many` deliveries of one health to the same target, each with its own key."""
        target = sink.target(self.references)
        assert target is not None
        fields = sink.fields(HEALTH)
        return [
            Delivery(key=f"k{n}", account="acc_1", target=target, fields=fields, health=HEALTH) for n in range(many)
        ]

    def test_finds_its_target_among_an_account_s_references(self) -> None:
        sink = self._with(self.answer)
        assert sink.target(self.references)
        assert sink.target(self.references) == sink.target(self.references)
        if self.strangers:
            assert sink.target(self.strangers) is None
            assert sink.target([]) is None

    def test_fields_are_flat_and_the_same_every_time(self) -> None:
        sink = self._with(self.answer)
        fields = sink.fields(HEALTH)
        assert fields == sink.fields(HEALTH)
        assert all(v is None or isinstance(v, str | int | float | bool) for v in fields.values())

    def test_gives_one_outcome_for_each_delivery(self) -> None:
        sink = self._with(self.answer)
        for many in sorted({1, 2, min(sink.batch, 7), sink.batch}):
            if many <= sink.batch:
                outcomes = self._push(self.answer, many)
                assert len(outcomes) == many
                assert all(isinstance(o, Ok | Pending) for o in outcomes), outcomes

    def test_a_refused_key_pauses_the_connection(self) -> None:
        with pytest.raises(CredentialsError):
            self._push(self._failing(_saying(401, "{}")), 1)

    def test_a_rate_limit_is_waited_for(self) -> None:
        with pytest.raises(RateLimitedError) as caught:
            self._push(self._failing(_saying(429, "slow down", {"retry-after": "7"})), 1)
        assert caught.value.after == pytest.approx(7.0, abs=1.0)

    def test_a_rate_limit_that_does_not_say_how_long_is_tried_later(self) -> None:
        with pytest.raises(RetryLaterError):
            self._push(self._failing(_saying(429, "slow down")), 1)

    def test_a_failing_destination_is_tried_later(self) -> None:
        for status in (500, 502, 503, 504):
            with pytest.raises(RetryLaterError):
                self._push(self._failing(_saying(status, "<html>oops")), 1)

    def test_an_unreachable_destination_is_tried_later(self) -> None:
        for broken in (httpx.ConnectTimeout, httpx.ReadTimeout, httpx.ConnectError, httpx.RemoteProtocolError):

            def refuse(request: httpx.Request, broken: type[httpx.TransportError] = broken) -> httpx.Response:
                raise broken("gone", request=request)

            with pytest.raises(RetryLaterError):
                self._push(self._failing(refuse), 1)

    def test_an_answer_that_is_nonsense_is_never_a_success(self) -> None:
        for text in ("", "<html>welcome</html>", "null", "[]", "{}", '{"results": 1}'):
            try:
                outcomes = self._push(self._failing(_saying(200, text)), 2)
            except RetryLaterError:
                continue
            assert self.believes_status or not any(isinstance(o, Ok) for o in outcomes), f"{text!r} gave {outcomes}"

    def test_a_record_the_destination_refuses_is_not_tried_again(self) -> None:
        try:
            outcomes = self._push(self._failing(_saying(400, "no such field")), 1)
        except RetryLaterError:
            pytest.fail("a 400 says the same every time")
        assert [type(o) for o in outcomes] == [Reject]

    def _failing(self, fail: Answer) -> Answer:
        return lambda request: self.answer(request) if self.is_login(request) else fail(request)

    def _with(self, answer: Answer) -> Sink:
        return self.sink(httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://sink.test"))

    def _push(self, answer: Answer, many: int) -> Sequence[Outcome]:
        async def push() -> Sequence[Outcome]:
            async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
                sink = self.sink(http)
                return await sink.push(self.deliveries(sink, many))

        outcomes = asyncio.run(push())
        assert all(isinstance(o, Ok | Retry | Reject | Pending) for o in outcomes)
        return outcomes
