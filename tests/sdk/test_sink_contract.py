"""The kit is a judge of sinks too: a good one passes, each way of being a bad one is caught."""

import httpx
import pytest

import hub
from hub.testing import SinkContract


class Board:
    """A destination that takes a list and answers for each record."""

    name = vendor = "board"
    shape = "fields"
    batch = 3

    def __init__(self, http):
        self._http = http

    def target(self, references):
        return next((r.removeprefix("board:card:") for r in references if r.startswith("board:card:")), None)

    def fields(self, health):
        return {"health": round(health.health), "band": health.band}

    async def push(self, deliveries):
        try:
            reply = await self._http.post("https://board.test/cards", json=[dict(d.fields) for d in deliveries])
        except httpx.TransportError as error:
            raise hub.RetryLaterError(f"cannot be reached: {type(error).__name__}") from None
        if reply.status_code == 401:
            raise hub.CredentialsError("refused our key")
        if reply.status_code == 429:
            raise hub.RateLimitedError("slow down", float(reply.headers.get("retry-after", 60)))
        if reply.status_code >= 500:
            raise hub.RetryLaterError(f"answered {reply.status_code}")
        if reply.status_code >= 400:
            return [hub.Reject(reply.text) for _ in deliveries]
        return self._outcomes(reply, len(deliveries))

    def _outcomes(self, reply, many):
        try:
            taken = reply.json()["taken"]
        except (ValueError, LookupError, TypeError):
            raise hub.RetryLaterError("answered nonsense") from None
        return [hub.Ok() if done else hub.Reject("no such card") for done in taken][:many]


class TestBoard(SinkContract):
    references = ("zendesk:organization:1", "board:card:7")
    strangers = ("zendesk:organization:1",)
    cls = Board

    def sink(self, http):
        return self.cls(http)

    def answer(self, request):
        return httpx.Response(200, json={"taken": [True] * 9})


class Forgetful(Board):
    def _outcomes(self, reply, many):
        return super()._outcomes(reply, many)[:1]


class Trusting(Board):
    def _outcomes(self, reply, many):
        return [hub.Ok() for _ in range(many)]


class Blunt(Board):
    async def push(self, deliveries):
        reply = await self._http.post("https://board.test/cards")
        return [hub.Ok() if reply.is_success else hub.Retry("failed") for _ in deliveries]


class Fickle(Board):
    count = 0

    def fields(self, health):
        Fickle.count += 1
        return {"health": Fickle.count}


class Anybody(Board):
    def target(self, references):
        return "7"


@pytest.mark.parametrize(
    ("cls", "promise"),
    [
        (Forgetful, "test_gives_one_outcome_for_each_delivery"),
        (Trusting, "test_an_answer_that_is_nonsense_is_never_a_success"),
        (Blunt, "test_a_refused_key_pauses_the_connection"),
        (Blunt, "test_a_rate_limit_is_waited_for"),
        (Blunt, "test_a_rate_limit_that_does_not_say_how_long_is_tried_later"),
        (Blunt, "test_a_failing_destination_is_tried_later"),
        (Blunt, "test_an_unreachable_destination_is_tried_later"),
        (Blunt, "test_a_record_the_destination_refuses_is_not_tried_again"),
        (Fickle, "test_fields_are_flat_and_the_same_every_time"),
        (Anybody, "test_finds_its_target_among_an_account_s_references"),
    ],
)
def test_a_sink_that_breaks_a_promise_is_caught(cls, promise):
    judge = TestBoard()
    judge.cls = cls
    with pytest.raises((AssertionError, pytest.fail.Exception, httpx.TransportError)):
        getattr(judge, promise)()
