from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from random import Random

import pytest

import hub
from hub.store.database import Database
from hub.store.questions.way import receipt_list
from sinks import destinations, receipts
from sinks.alerts_queue import LIFE
from sinks.breaker import THRESHOLD
from sinks.outcomes import JOB_LIFE
from tests.sinks.kit import Bench, Crm, Pager, action, flaky, health


def _destination(bench: Bench, sink: str = "crm") -> destinations.Destination:
    with bench.database.read() as connection:
        return destinations.load(connection, sink)


def _ready(database: Database, *sinks: Crm, many: int = 1) -> Bench:
    bench = Bench(database, *(sinks or [Crm()]))
    names = [sink.name for sink in bench.sinks]
    database.write(lambda c: destinations.begin(c, names)).result()
    for n in range(many):
        bench.link(f"acc_{n}", f"crm:{n}")
    bench.show(*((n + 1, health(f"acc_{n}", 10 + n)) for n in range(many)))
    return bench


def _raise(error: Exception) -> Sequence[hub.Outcome]:
    raise error


@pytest.mark.parametrize("seed", range(6))
def test_a_destination_that_fails_a_third_of_the_time_ends_at_the_newest_and_never_goes_back(
    database: Database, seed: int
) -> None:
    rng = Random(seed)
    crm = Crm(batch=4)
    flaky(crm, rng)
    bench = Bench(database, crm, seed=seed)
    database.write(lambda c: destinations.begin(c, ["crm"])).result()
    accounts = [f"acc_{n}" for n in range(6)]
    for account in accounts:
        bench.link(account, f"crm:{account}")
    newest = dict.fromkeys(accounts, 0)

    async def live() -> None:
        for sequence in range(1, 61):
            account = rng.choice(accounts)
            newest[account] = sequence
            bench.show((sequence, health(account, float(sequence))))  # scores only rise: order shows
            for _ in range(rng.randrange(3)):
                bench.clock.now += rng.uniform(0, 2)
                await bench.once()
        await bench.drain()

    asyncio.run(live())
    for account in accounts:
        shown = crm.shown.get(account, [0])
        assert shown[-1] == newest[account]
        assert shown == sorted(shown)


@pytest.mark.parametrize("seed", range(4))
def test_every_alert_arrives_however_the_destination_misbehaves(database: Database, seed: int) -> None:
    pager = Pager(batch=3)
    flaky(pager, Random(seed))
    bench = Bench(database, pager, seed=seed)
    bench.tell(*(action(f"alert:{n}") for n in range(10)))
    asyncio.run(bench.drain())
    assert set(pager.told) == {f"alert:{n}" for n in range(10)}
    assert {row.state for row in bench.alerts()} == {"sent"}


def test_a_missing_outcome_is_a_failure_of_its_record_only(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm, many=3)
    crm.behave = lambda d: [hub.Ok(), hub.Ok()]
    bench.push()
    assert [row.state for row in bench.rows()] == ["shown", "shown", "due"]
    assert bench.rows()[2].reason == "the sink gave no outcome for this record"


def test_too_many_outcomes_vouch_for_nothing(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm, many=2)
    crm.behave = lambda d: [hub.Ok()] * 3
    bench.push()
    assert {row.state for row in bench.rows()} == {"due"}


@pytest.mark.parametrize("nonsense", [None, "ok", 1, [True, None], {}])
def test_an_answer_of_another_kind_is_no_success(database: Database, nonsense: object) -> None:
    crm = Crm()
    bench = _ready(database, crm, many=2)
    crm.behave = lambda d: [nonsense] * 2 if nonsense is None else nonsense
    bench.push()
    assert {row.state for row in bench.rows()} == {"due"}


def test_of_a_batch_each_record_goes_its_own_way(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm, many=4)
    crm.behave = lambda d: [hub.Ok(), hub.Retry("locked", after=30), hub.Reject("no such field"), hub.Pending("j1")]
    bench.push()
    rows = bench.rows()
    assert [row.state for row in rows] == ["shown", "due", "rejected", "pending"]
    assert [row.reason for row in rows] == [None, "locked", "no such field", None]
    assert rows[1].next_at == bench.clock.now + 30


def test_what_was_asked_to_wait_waits_even_when_something_newer_is_wanted(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm)
    crm.behave = lambda d: [hub.Retry("locked", after=30)]
    bench.push()
    crm.behave = lambda d: None
    bench.show((9, health("acc_0", 99)))
    bench.push()
    assert crm.shown == {}
    bench.clock.now += 30
    bench.push()
    assert crm.shown == {"0": [99]}


def test_a_newer_value_that_comes_during_a_push_is_pushed_next(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm)

    def meanwhile(deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        crm.behave = lambda d: None
        bench.show((2, health("acc_0", 77)))
        return [crm.take(d) for d in deliveries]

    crm.behave = meanwhile
    bench.push()
    (row,) = bench.rows()
    assert (row.state, row.shown) == ("due", '{"band":"steady","score":10}')
    bench.push()
    assert crm.shown == {"0": [10, 77]}
    assert bench.rows()[0].state == "shown"


def test_a_push_whose_end_we_never_learned_is_made_again_even_if_the_value_went_back(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm)
    bench.push()

    def takes_it_and_breaks(deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        [crm.take(d) for d in deliveries]
        raise hub.RetryLaterError("the connection broke")

    crm.behave = takes_it_and_breaks
    bench.show((2, health("acc_0", 20)))
    bench.push()
    crm.behave = lambda d: None
    bench.show((3, health("acc_0", 10)))  # what we last *knew* it shows; but it shows 20
    asyncio.run(bench.drain())
    assert crm.shown["0"] == [10, 20, 10]


def test_killed_between_the_push_and_its_record_it_is_pushed_again(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm)

    async def killed() -> None:
        taken = asyncio.Event()

        async def hang(deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
            [crm.take(d) for d in deliveries]
            taken.set()
            await asyncio.sleep(60)
            return []

        crm.push = hang
        task = asyncio.create_task(bench.once())
        await asyncio.wait_for(taken.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(killed())
    assert bench.rows()[0].state == "due"
    again = Crm()
    restarted = Bench(database, again)
    restarted.push()
    assert again.shown == {"0": [10]}
    assert restarted.rows()[0].state == "shown"


def test_a_sink_that_never_answers_is_cut_off_and_tried_again(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm)

    async def never(_deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        await asyncio.sleep(60)
        return []

    crm.push = never
    bench.push()
    (row,) = bench.rows()
    assert (row.state, row.reason, row.attempts) == ("due", "no answer within 0.2 s", 1)


def test_a_job_is_asked_after_until_it_is_done(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm, many=2)
    crm.behave = lambda d: [hub.Pending("j1")] * 2
    bench.push()
    crm.behave = lambda d: None
    bench.clock.now += 5
    bench.push()
    assert {row.state for row in bench.rows()} == {"pending"}
    crm.jobs["j1"] = [hub.Ok(), hub.Reject("archived")]
    bench.clock.now += 30
    bench.push()
    assert [row.state for row in bench.rows()] == ["shown", "rejected"]
    assert len(crm.calls) == 1


def test_a_job_is_asked_after_though_the_clock_was_set_back(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm)
    crm.behave = lambda d: [hub.Pending("j1")]
    bench.push()
    crm.jobs["j1"] = [hub.Ok()]
    bench.clock.now -= 7_200
    bench.push()
    assert bench.rows()[0].state == "shown"


def test_a_job_is_not_overtaken_by_a_newer_value(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm)
    crm.behave = lambda d: [hub.Pending("j1")]
    bench.push()
    crm.behave = lambda d: None
    bench.show((2, health("acc_0", 55)))
    bench.push()
    assert len(crm.calls) == 1
    crm.jobs["j1"] = [hub.Ok()]
    bench.clock.now += 60
    bench.push()
    assert bench.rows()[0].shown == '{"band":"steady","score":10}'
    asyncio.run(bench.drain())
    assert bench.rows()[0].shown == '{"band":"steady","score":55}'


def test_a_job_that_cannot_be_asked_after_stays_pending_and_one_that_never_ends_is_pushed_again(
    database: Database,
) -> None:
    crm = Crm()
    bench = _ready(database, crm)
    crm.behave = lambda d: [hub.Pending("j1")]
    bench.push()
    crm.behave = lambda d: None

    async def lost(_job: str, _deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        raise hub.RetryLaterError("bad gateway")

    crm.poll = lost
    bench.clock.now += 10
    bench.push()
    assert bench.rows()[0].state == "pending"
    bench.clock.now += JOB_LIFE
    bench.push()
    assert bench.rows()[0].state in {"due", "shown"}
    asyncio.run(bench.drain())
    assert crm.shown == {"0": [10]}


def test_a_refused_key_pauses_the_destination_and_says_so_once(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    crm = Crm()
    bench = _ready(database, crm)
    crm.behave = lambda d: _raise(hub.CredentialsError("401 invalid token"))
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            bench.push()
            bench.clock.now += 100
    assert [r.message for r in caplog.records] == ["sinks.paused"]
    assert len(crm.calls) == 1
    assert _destination(bench).paused
    assert _destination(bench).reason == "401 invalid token"
    row = bench.rows()[0]
    assert (row.state, row.attempts) == ("due", 0)
    crm.behave = lambda d: None
    database.write(lambda c: destinations.resume(c, "crm")).result()
    bench.push()
    assert crm.shown == {"0": [10]}


def test_a_start_tries_again_what_a_refused_key_had_paused_but_not_what_a_person_did(database: Database) -> None:
    crm, desk = Crm(), Crm("desk")
    bench = _ready(database, crm, desk)
    crm.behave = lambda d: _raise(hub.CredentialsError("401"))
    database.write(lambda c: destinations.pause(c, "desk", "moving house")).result()
    bench.push()
    database.write(lambda c: destinations.begin(c, ["crm", "desk"])).result()
    assert not _destination(bench, "crm").paused
    assert _destination(bench, "desk").paused
    assert _destination(bench, "desk").reason == "moving house"


def test_a_pause_asked_for_during_a_call_holds(database: Database) -> None:
    crm = Crm(batch=1)
    bench = _ready(database, crm, many=2)

    def meanwhile(deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        database.write(lambda c: destinations.pause(c, "crm", "moving house")).result()
        return [crm.take(d) for d in deliveries]

    crm.behave = meanwhile
    bench.push()
    bench.push()
    assert len(crm.calls) == 1
    assert _destination(bench).paused
    assert _destination(bench).reason == "moving house"


def test_a_pause_asked_for_while_our_key_is_refused_outlasts_the_next_start(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm)

    def meanwhile(_deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        database.write(lambda c: destinations.pause(c, "crm", "moving house")).result()
        raise hub.CredentialsError("401")

    crm.behave = meanwhile
    bench.push()
    database.write(lambda c: destinations.begin(c, ["crm"])).result()
    assert _destination(bench).paused
    assert _destination(bench).reason == "moving house"


def test_a_rate_limit_holds_the_whole_destination_and_counts_against_no_record(database: Database) -> None:
    crm = Crm(batch=1)
    bench = _ready(database, crm, many=2)
    crm.behave = lambda d: _raise(hub.RateLimitedError("slow down", after=50))
    bench.push()
    crm.behave = lambda d: None
    bench.clock.now += 49
    bench.push()
    assert len(crm.calls) == 1
    assert {row.attempts for row in bench.rows()} == {0}
    bench.clock.now += 1
    asyncio.run(bench.drain())
    assert len(crm.shown) == 2


def test_a_dead_destination_is_tried_ever_more_rarely_and_said_to_be_down_once_and_back_once(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    crm = Crm()
    bench = _ready(database, crm, many=8)
    crm.behave = lambda d: _raise(hub.RetryLaterError("connection refused"))

    async def hour() -> int:
        for _ in range(360):
            await bench.once()
            bench.clock.now += 10.0
        return len(crm.calls)

    with caplog.at_level(logging.INFO):
        calls = asyncio.run(hour())
        assert THRESHOLD < calls < 60
        assert all(len(call) == 1 for call in crm.calls[THRESHOLD:])  # probes
        crm.behave = lambda d: None
        asyncio.run(bench.drain())
    assert [r.message for r in caplog.records] == ["sinks.down", "sinks.back"]
    assert len(crm.shown) == 8


def test_one_record_that_a_sink_stumbles_over_holds_back_none_of_the_others(database: Database) -> None:
    crm = Crm(batch=8)
    bench = _ready(database, crm, many=8)

    def stumble(deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome] | None:
        if any(d.target == "3" for d in deliveries):
            raise KeyError("score")
        return None

    crm.behave = stumble

    async def while_it_lasts() -> None:
        for _ in range(300):
            await bench.once()
            bench.clock.now += 10.0

    asyncio.run(while_it_lasts())
    assert sorted(crm.shown) == ["0", "1", "2", "4", "5", "6", "7"]
    assert bench.rows()[3].reason == "KeyError: 'score'"


def test_a_rejected_record_is_a_dead_letter_with_its_value_and_can_be_replayed(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm, many=2)
    crm.behave = lambda d: [hub.Reject("no such field")] * len(d)
    bench.push()
    first, second = bench.log.published["dead-letters"]
    assert (first["stage"], first["connection"], first["reason"]) == ("deliver", "crm", "no such field")
    assert first["context"] == {"sink": "crm", "account": "acc_0", "key": "acc_0"}
    assert first["id"] != second["id"]
    crm.behave = lambda d: None
    queue = bench.workers[0].queue
    assert database.write(lambda c: queue.replay(c, first["context"]["key"])).result() == 1
    bench.push()
    assert [row.state for row in bench.rows()] == ["shown", "rejected"]
    assert database.write(lambda c: queue.replay(c, None)).result() == 1
    bench.push()
    assert [row.state for row in bench.rows()] == ["shown", "shown"]


def test_a_rejected_account_is_tried_again_when_its_health_changes(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm)
    crm.behave = lambda d: [hub.Reject("score must be even")]
    bench.push()
    crm.behave = lambda d: None
    bench.push()
    assert crm.shown == {}
    bench.show((2, health("acc_0", 12)))
    bench.push()
    assert crm.shown == {"0": [12]}


def test_a_log_that_cannot_be_written_loses_no_dead_letter(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm)
    crm.behave = lambda d: [hub.Reject("no such field")]

    async def full(*_: object) -> None:
        raise OSError("disk full")

    kept = bench.workers[0]._publish
    bench.workers[0]._publish = full
    with pytest.raises(OSError, match="disk full"):
        bench.push()
    assert bench.rows()[0].state == "due"
    bench.workers[0]._publish = kept
    bench.push()
    assert len(bench.log.published["dead-letters"]) == 1


def test_an_alert_that_could_not_be_sent_for_days_is_news_no_more(database: Database) -> None:
    pager = Pager()
    bench = Bench(database, pager)
    bench.tell(action("alert:1"))
    pager.behave = lambda d: [hub.Retry("mailbox full")]
    bench.push()
    assert bench.alerts()[0].state == "due"
    bench.clock.now += LIFE
    bench.push()
    (row,) = bench.alerts()
    assert (row.state, row.reason) == ("rejected", "gave up, since it is news no more: mailbox full")


def test_every_delivery_leaves_a_receipt_here_and_on_the_log(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm, many=3)
    crm.behave = lambda d: [hub.Ok(), hub.Retry("locked"), hub.Reject("no such field")]
    bench.push()
    with database.read() as connection:
        kept, _ = receipt_list(connection, limit=10)
    assert [(r.outcome, r.reason, r.attempt) for r in kept] == [
        ("reject", "no such field", 1),
        ("retry", "locked", 1),
        ("ok", None, 1),
    ]
    assert [r["outcome"] for r in bench.log.published["deliveries"]] == ["ok", "retry", "reject"]
    assert kept[0].fields == '{"band":"steady","score":12}'


def test_a_job_leaves_one_receipt_when_it_begins_and_one_when_it_ends(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm)
    crm.behave = lambda d: [hub.Pending("j1")]
    bench.push()
    for _ in range(5):
        bench.clock.now += 30
        bench.push()
    crm.jobs["j1"] = [hub.Ok()]
    bench.clock.now += 30
    bench.push()
    assert [r["outcome"] for r in bench.log.published["deliveries"]] == ["pending", "ok"]


def test_old_receipts_are_forgotten_a_few_at_a_time(database: Database) -> None:
    crm = Crm(batch=10)
    bench = _ready(database, crm, many=5)
    bench.push()
    assert database.write(lambda c: receipts.forget(c, bench.clock.now)).result() == 0
    assert database.write(lambda c: receipts.forget(c, bench.clock.now + 1, limit=3)).result() == 3
    assert database.write(lambda c: receipts.forget(c, bench.clock.now + 1, limit=3)).result() == 2


def test_when_a_destination_last_took_something_is_remembered(database: Database) -> None:
    crm = Crm()
    bench = _ready(database, crm)
    crm.behave = lambda d: [hub.Retry("locked")]
    bench.push()
    assert _destination(bench).ok_at is None
    crm.behave = lambda d: None
    asyncio.run(bench.drain())
    assert _destination(bench).ok_at is not None
