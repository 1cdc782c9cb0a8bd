from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.clock import DAY
from scoring.config import Config
from scoring.entities import Things
from scoring.measures import MeasureSet
from tests.scoring.room import START, event

COMMON = {"dimension": "any", "label": "{n}", "direction": "up"}
USE = {"kinds": ["usage.tracked", "session.started"]}
DECLARED = [
    {"name": "short", "family": "count", **USE, "half_life": "7d"},
    {"name": "long", "family": "count", **USE, "half_life": "30d"},
    {"name": "hourly", "family": "count", **USE, "half_life": "1h"},
    {"name": "ever", "family": "count", **USE},
    {"name": "paid", "family": "sum", "of": "amount", "kinds": {"invoice.paid": 1, "refund.issued": -1}},
    {"name": "nps", "family": "last", "of": "value", "kinds": ["survey.answered"], "where": {"survey": "nps"}},
    {
        "name": "csat",
        "family": "last",
        "of": "value",
        "kinds": ["survey.answered"],
        "where": {"survey": ["csat", "ces"]},
    },
    {"name": "silence", "family": "recency", **USE, "direction": "down"},
    {"name": "days", "family": "active_days", **USE},
    {"name": "tenure", "family": "tenure", **USE},
    {"name": "days_long", "family": "days", **USE, "window": "100d"},
    {"name": "people", "family": "people", **USE},
    {"name": "trend", "family": "trend", "short": "short", "long": "long"},
    {"name": "open", "family": "entities", "entity": "ticket", "read": "open", "direction": "down"},
    {"name": "urgent", "family": "entities", "entity": "ticket", "read": "urgent", "direction": "down"},
    {"name": "oldest", "family": "entities", "entity": "ticket", "read": "oldest", "direction": "down"},
    {"name": "mrr", "family": "entities", "entity": "subscription", "read": "sum"},
    {"name": "visits", "family": "exact", "window": "7d", **USE},
    {
        "name": "bad",
        "family": "exact",
        "window": "30d",
        "of": "value",
        "kinds": ["survey.answered"],
        "direction": "down",
    },
    {"name": "chats", "family": "gauge", "kinds": {"ticket.opened": 1, "ticket.solved": -1}},
    {"name": "renewal", "family": "date", "read": "until", "of": "properties.renewal_on", "kinds": ["ticket.opened"]},
    {"name": "began", "family": "date", "read": "since", "of": "properties.renewal_on", "kinds": ["ticket.opened"]},
    {"name": "seats", "family": "sum", "of": "properties.seats * 2 - 1", "kinds": ["ticket.opened"]},
    {"name": "newest_seats", "family": "last", "of": "max(value, properties.seats)", "kinds": ["ticket.solved"]},
    {"name": "fresh", "family": "count", "stale_after": "10d", **USE},
    {"name": "fresh_trend", "family": "trend", "short": "short", "long": "long", "stale_after": "10d"},
    {"name": "per_person", "family": "ratio", "top": "ever", "bottom": "people"},
    {"name": "freshly", "family": "ratio", "top": "fresh", "bottom": "people"},
]
CONFIG = Config.model_validate(
    {
        "measures": [COMMON | measure for measure in DECLARED],
        "scorecard": {
            "dimensions": [{"name": "any", "weight": 1, "measures": [{"measure": "short", "weight": 1, "high": 1}]}],
            "outcome": {
                "any": [
                    {"cancelled": "subscription.cancelled"},
                    {"silent": "call.held", "after": "20d"},
                    {"silent": ["visit.made", "call.held"]},
                    {"not_renewed": "renewal", "grace": "14d"},
                    {"contraction": "mrr", "by": "20%"},
                ],
                "back": ["subscription.started"],
                "horizon": "60d",
                "every": "7d",
            },
        },
    }
)
SET = MeasureSet(CONFIG)
TELLING = CONFIG.scorecard.outcome.ending | CONFIG.scorecard.outcome.alive
EXACT = [name for name in SET.dtype.names if name not in ("short", "long", "hourly", "paid")]

moments = st.one_of(
    st.floats(START - 60 * DAY, START + DAY),
    st.sampled_from([START, START - DAY, 40_000_000.0, 4_000_000_000.0]),
)
happenings = st.builds(
    lambda kind, at, number, value, survey, priority: event(
        kind,
        at,
        id=f"{kind}{at}{number}{value}{survey}{priority}",
        contact=f"acme:user:{number}",
        entity=f"acme:{kind.partition('.')[0]}:{number % 2}",
        amount=round(value * 10, 2) if kind in ("invoice.paid", "refund.issued", "subscription.started") else None,
        value=float(value),
        properties={"survey": survey, "priority": priority, "seats": number, "renewal_on": f"2026-0{number % 3 + 1}-17"}
        if survey
        else {},
    ),
    st.sampled_from(
        [
            *USE["kinds"],
            "invoice.paid",
            "refund.issued",
            *["survey.answered"] * 4,
            "ticket.opened",
            "ticket.solved",
            "ticket.reopened",
            "ticket.escalated",
            "subscription.started",
            "call.held",
            "visit.made",
            "subscription.paused",
            "subscription.cancelled",
            "shipment.delayed",
        ]
    ),
    moments,
    st.integers(0, 9),
    st.integers(0, 3),
    st.sampled_from([None, "nps", "csat", "other"]),
    st.sampled_from(["low", "urgent"]),
)
stories = st.lists(happenings, max_size=30, unique_by=lambda one: one.id)


def empty(count=1):
    rows = np.full(count, SET.empty, SET.dtype)
    SET.mark(rows, np.zeros(count, np.int64), np.full(count, START - 30 * DAY))
    SET.mark(rows, np.ones(count, np.int64), np.full(count, START - 60 * DAY))
    return rows


def decimals(events):
    return [
        msgspec.structs.replace(one, amount=None if one.amount is None else Decimal(str(one.amount))) for one in events
    ]


def folded(events, cuts=(), accounts=None, into=None):
    """The rows of these events, folded in pieces."""
    accounts = accounts or ["a"] * len(events)
    order = sorted(set(accounts) | {"a"})
    rows = empty(len(order)) if into is None else into
    things = Things(SET.holdings.sums, SET.holdings.oldest)
    edges = [0, *sorted(cuts), len(events)]
    for first, last in itertools.pairwise(edges):
        some, whose = decimals(events[first:last]), accounts[first:last]
        batch = SET.batch(some, whose)
        batch = batch.changed(things.change(some, whose, batch.accounts))
        places = [order.index(account) for account in batch.accounts]
        rows[places] = SET.fold(rows[places], batch)
    return rows


def same(mine, theirs):
    for name in EXACT:
        assert mine[name].tobytes() == theirs[name].tobytes() or np.array_equal(
            mine[name], theirs[name], equal_nan=True
        ), name
    now = float(np.maximum(mine["newest"], theirs["newest"]).max()) + DAY
    np.testing.assert_allclose(SET.read(mine, now), SET.read(theirs, now), rtol=1e-9, atol=1e-9)


@settings(max_examples=150, deadline=None)
@given(stories, st.randoms(use_true_random=False), st.lists(st.integers(0, 30), max_size=5))
def test_any_order_cut_into_any_batches_gives_the_same_state(story, chance, cuts):
    shuffled = chance.sample(story, len(story))
    same(
        folded(shuffled, [min(cut, len(story)) for cut in cuts]), folded(sorted(story, key=lambda one: one.occurred_at))
    )


@settings(max_examples=100, deadline=None)
@given(stories, st.randoms(use_true_random=False))
def test_accounts_do_not_feel_their_neighbors_in_a_batch(story, chance):
    accounts = [chance.choice("abc") for _ in story]
    together = folded(story, accounts=accounts)
    for place, account in enumerate(sorted(set(accounts) | {"a"})):
        mine = [one for one, whose in zip(story, accounts, strict=True) if whose == account]
        same(together[place : place + 1], folded(mine))


@settings(max_examples=100, deadline=None)
@given(stories, stories)
def test_merging_is_folding_together(mine, theirs):
    theirs = [
        msgspec.structs.replace(one, id=one.id + "'", entity=one.entity + "'")
        for one in theirs
        if one.kind not in TELLING  # of the other's outcomes only the newest is known
    ]
    merged = folded(mine)
    SET.merge(merged, folded(theirs))
    same(merged, folded(mine + theirs))


def value(name, events, now=START):
    return SET.read(folded(events), now)[0, [m.name for m in SET.measures].index(name)]


def uses(*days, **more):
    return [event("usage.tracked", START - day * DAY, id=f"u{place}", **more) for place, day in enumerate(days)]


def test_a_count_halves_with_each_half_life():
    assert value("short", uses(0, 7, 14)) == pytest.approx(1.75)
    assert value("short", uses(0), START + 21 * DAY) == pytest.approx(1 / 8)


def test_without_a_half_life_nothing_fades():
    assert value("ever", uses(0, 100, 1_000), START + 500 * DAY) == 3


def test_a_sum_takes_away_what_went_back():
    story = [event("invoice.paid", amount=100), event("refund.issued", amount=30)]
    assert value("paid", story) == pytest.approx(70)


def test_the_last_value_is_the_newest_by_event_time_whenever_it_arrives():
    newer = event("survey.answered", START, value=9, properties={"survey": "nps"})
    older = event("survey.answered", START - DAY, value=2, properties={"survey": "nps"})
    assert value("nps", [newer, older]) == 9
    assert value("csat", [newer, older]) is not None
    assert math.isnan(value("csat", [newer, older]))


def test_of_two_values_of_one_moment_the_greater_counts_whichever_comes_first():
    said = [event("survey.answered", value=number, properties={"survey": "nps"}) for number in (3, 8, 5)]
    for order in (said, said[::-1]):
        assert value("nps", order) == 8
        assert SET.read(folded(order, cuts=[1, 2]), START)[0, 5] == 8


def test_a_condition_may_list_several_values():
    assert value("csat", [event("survey.answered", value=4, properties={"survey": "ces"})]) == 4


def test_recency_counts_days_since_the_newest():
    assert value("silence", uses(9, 3)) == pytest.approx(3)
    assert value("silence", uses(0), START - DAY) == 0


def test_active_days_are_exact_within_28_days():
    assert value("days", uses(0, 0, 1, 27, 28, 40)) == 3
    assert value("days", uses(*range(60))) == 28
    assert value("days", uses(0), START + 28 * DAY) == 0


def test_an_event_dated_a_day_ahead_does_not_push_out_the_oldest_day():
    assert value("days", uses(27, -1)) == 1


def test_tenure_counts_days_since_the_first():
    assert value("tenure", uses(3, 9, 4)) == pytest.approx(9)
    assert value("tenure", uses(0), START - DAY) == 0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-1, 400), max_size=60), st.integers(0, 150))
def test_days_of_a_long_window_are_exact(ago, later):
    """Against a set of days; what is dated after `now` is not counted yet."""
    now = START + later * DAY
    today = now // DAY
    days = {(START - day * DAY) // DAY for day in ago}
    wanted = len([day for day in days if today - 100 < day <= today]) if days else math.nan
    assert value("days_long", uses(*ago), now) == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize("people", [1, 5, 20, 50, 100, 200])
def test_people_are_counted_within_the_documented_error(people):
    found = []
    for company in range(20):
        story = [
            event(
                "usage.tracked", START - (place % 20) * DAY, id=str(place), contact=f"segment:user:c{company}-{place}"
            )
            for place in range(people)
        ]
        found.append(value("people", [*story, *story[:3]]))
    rms = math.sqrt(sum((one / people - 1) ** 2 for one in found) / len(found))
    assert rms < (0.16 if people > 5 else 0.15)
    assert sum(found) / len(found) == pytest.approx(people, rel=0.06)


def test_people_who_have_not_come_for_28_days_are_not_counted():
    assert value("people", uses(0, contact="acme:user:1"), START + 28 * DAY) == 0


def test_a_steady_pace_has_a_trend_of_one_from_its_first_week_on():
    for length in (3, 10, 100):
        assert value("trend", uses(*(day / 4 for day in range(length * 4)))) == pytest.approx(1, abs=0.12)


def test_a_trend_sinks_with_silence_and_rises_with_a_rush():
    steady = [day / 2 for day in range(120)]
    assert value("trend", uses(*steady), START + 14 * DAY) < 0.4
    assert value("trend", uses(*steady, *(n / 50 for n in range(100)))) > 1.8


def test_what_is_unknown_is_not_a_number_and_a_bad_thing_that_never_happened_is_zero():
    nothing = dict(zip([m.name for m in SET.measures], SET.read(empty(), START)[0].tolist(), strict=True))
    known = {name: number for name, number in nothing.items() if not math.isnan(number)}
    assert known == {"open": 0, "urgent": 0, "oldest": 0, "bad": 0, "chats": 0}


def test_an_exact_window_falls_off_its_cliff_to_the_day():
    assert value("visits", uses(0, 0, 1, 6, 7, 40)) == 4
    assert value("visits", uses(0, 0, 1), START + 6 * DAY) == 2
    assert value("visits", uses(0), START + 7 * DAY) == 0
    assert value("visits", uses(*[0] * 9, -1)) == 9  # dated a day ahead: not yet, and nothing is pushed out
    assert math.isnan(value("visits", []))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 60), st.integers(-5, 5)), max_size=40), st.integers(0, 70))
def test_a_window_of_sums_is_exact(said, later):
    """Against a plain list; of what is too old for the ring nothing is left, whichever came first."""
    story = [
        event("survey.answered", START - day * DAY, value=float(number), id=f"s{place}")
        for place, (day, number) in enumerate(said)
    ]
    today = (START + later * DAY) // DAY
    wanted = sum(number for day, number in said if today - 30 < (START - day * DAY) // DAY <= today)
    assert value("bad", story, START + later * DAY) == pytest.approx(wanted)
    assert value("bad", story[::-1], START + later * DAY) == pytest.approx(wanted)


def test_a_gauge_is_what_was_opened_and_not_closed():
    story = [ticket("opened", 5), ticket("opened", 9, 2), ticket("solved", 2, 2)]
    assert value("chats", story) == 1
    assert value("chats", story[2:]) == 0  # closed before it was heard of
    assert value("chats", []) == 0


def test_a_date_is_told_by_the_newest_event_that_has_one():
    story = [ticket("opened", 3, renewal_on="2026-04-01"), ticket("opened", 9, 2, renewal_on="2026-05-01")]
    story.append(ticket("opened", 1, 3))
    days = (datetime(2026, 4, 1, tzinfo=UTC).timestamp() - START) / DAY
    assert value("renewal", story) == pytest.approx(days)
    assert value("began", story) == pytest.approx(-days)
    assert value("renewal", story, START + 60 * DAY) == pytest.approx(days - 60)
    assert math.isnan(value("renewal", [ticket("opened", 1, renewal_on="soon")]))


def test_an_event_is_worth_what_its_expression_says():
    assert (
        value("seats", [ticket("opened", 1, seats=5), ticket("opened", 2, 2), ticket("opened", 3, 3, seats="5")]) == 9
    )
    assert value("newest_seats", [event("ticket.solved", value=3.0, properties={"seats": 8})]) == 8
    assert math.isnan(value("newest_seats", [event("ticket.solved", value=3.0)]))


def test_what_heard_nothing_for_too_long_is_not_known_any_more():
    assert value("fresh", uses(0, 12), START + 9 * DAY) == 2
    for name in ("fresh", "fresh_trend", "freshly"):
        assert math.isnan(value(name, uses(0, 12, contact="acme:user:1"), START + 11 * DAY)), name
    assert value("ever", uses(0), START + 11 * DAY) == 1


def test_a_ratio_is_one_by_the_other_and_unknown_where_that_says_nothing():
    story = uses(0, 1, 2, 3, contact="acme:user:1")
    assert value("per_person", story) == pytest.approx(4, rel=0.02)
    assert math.isnan(value("per_person", story, START + 40 * DAY))  # by nobody
    assert math.isnan(value("per_person", []))


def ticket(kind, day, number=1, **properties):
    return event(f"ticket.{kind}", START - day * DAY, entity=f"acme:ticket:{number}", properties=properties)


def test_tickets_are_open_until_they_are_solved_and_again_when_they_come_back():
    story = [ticket("opened", 5), ticket("opened", 9, 2, priority="urgent")]
    assert (value("open", story), value("urgent", story), value("oldest", story)) == (2, 1, pytest.approx(9))
    story.append(ticket("solved", 2, 2))
    assert (value("open", story), value("urgent", story), value("oldest", story)) == (1, 0, pytest.approx(5))
    story.append(ticket("reopened", 1, 2))
    assert (value("open", story), value("urgent", story), value("oldest", story)) == (2, 1, pytest.approx(5))


def test_a_ticket_solved_in_a_later_batch_is_no_longer_the_oldest():
    story = [ticket("opened", 9), ticket("opened", 5, 2), ticket("solved", 2)]
    rows = folded(story, cuts=[1, 2])
    assert dict(zip([m.name for m in SET.measures], SET.read(rows, START)[0], strict=True))["oldest"] == pytest.approx(
        5
    )


def test_money_of_subscriptions_is_exact_whatever_comes_and_goes():
    story = []
    for number in range(300):
        kind = "subscription.started" if number % 3 else "subscription.cancelled"
        story.append(event(kind, START + number, entity=f"acme:subscription:{number % 7}", amount=0.1 * number))
    last = {}
    for one in story:
        last[one.entity] = float(one.amount) if one.kind.endswith("started") else 0.0
    assert value("mrr", story) == pytest.approx(sum(round(amount, 3) for amount in last.values()), abs=1e-9)


def test_a_paused_subscription_brings_in_nothing_until_it_is_resumed():
    def said(kind, day, amount=None):
        return event(f"subscription.{kind}", START - day * DAY, entity="acme:subscription:1", amount=amount)

    story = [said("started", 9, 50), said("paused", 5)]
    assert value("mrr", story) == 0
    assert value("mrr", [*story, said("resumed", 2)]) == 50
    assert value("mrr", [said("changed", 1, 70)]) == 70


def test_an_outcome_hits_the_snapshots_in_whose_horizon_it_lies_and_no_other():
    edge = START - 30 * DAY
    for at, hit in ((edge, False), (edge + 1, True), (edge + 60 * DAY, True), (edge + 60 * DAY + 1, False)):
        rows = folded([event("subscription.cancelled", at)])
        assert _cancelled(rows, edge) == (hit, True)
        assert _cancelled(folded([event("subscription.cancelled", START)], into=rows), edge)[1]


def test_marks_that_another_account_may_have_hit_before_its_newest_outcome_are_given_up_by_a_merge():
    edge, of_other = START - 60 * DAY, [event("subscription.cancelled", START - day * DAY) for day in (40, -1)]
    rows = empty()
    SET.merge(rows, folded(of_other))
    assert not _cancelled(rows, edge)[1]  # the archive must say
    assert _cancelled(rows, START - 30 * DAY) == (True, True)
    SET.merge(into := empty(), folded(of_other[:1]))
    assert _cancelled(into, edge) == (True, True)


def test_without_a_mark_a_row_knows_what_became_of_a_customer_unless_it_cancelled_again_later():
    edge = START - 70 * DAY
    rows = empty()
    assert _cancelled(folded([event("subscription.cancelled", edge + DAY)], into=rows), edge) == (True, True)
    assert not _cancelled(folded([event("subscription.cancelled", START)], into=rows), edge)[1]


def test_a_row_knows_no_date_and_no_money_that_was_told_after_the_end_of_the_span():
    way = {way.words.partition(" ")[0]: way for way in CONFIG.scorecard.outcome.ways}
    at, until = np.array([START - 70 * DAY]), np.array([START - 10 * DAY])
    started = event("subscription.started", START - 80 * DAY, entity="acme:subscription:1", amount=50)
    renews = event("ticket.opened", START - 80 * DAY, properties={"renewal_on": "2026-01-17"}, value=1.0)
    rows = folded([started, renews])
    assert SET.came_true(rows, way["mrr"], at, until) == (False, True)
    assert SET.came_true(rows, way["contract"], at, until) == (True, True)
    later = [
        event("subscription.changed", START - 9 * DAY, entity="acme:subscription:1", amount=10),
        event("ticket.opened", START - 9 * DAY, properties={"renewal_on": "2027-01-17"}, value=1.0),
    ]
    for name in ("mrr", "contract"):
        assert not SET.came_true(folded(later, into=rows.copy()), way[name], at, until)[1]


def _cancelled(rows, at):
    way = CONFIG.scorecard.outcome.ways[0]
    return tuple(found[0] for found in SET.came_true(rows, way, np.array([at]), np.array([at + 60 * DAY])))


def test_rows_survive_a_change_of_the_declarations_by_name():
    row = folded(uses(0, 1, 2))
    fewer = [COMMON | measure for measure in DECLARED if measure["name"] not in ("hourly", "nps")]
    more = COMMON | {"name": "sessions", "family": "count", "kinds": ["session.started"]}
    changed = MeasureSet(Config(measures=[more, *fewer], scorecard=CONFIG.scorecard))
    moved = changed.layout.moved(row)
    before = dict(zip([m.name for m in SET.measures], SET.read(row, START)[0], strict=True))
    after = dict(zip([m.name for m in changed.measures], changed.read(moved, START)[0], strict=True))
    assert math.isnan(after.pop("sessions"))
    for name, number in after.items():
        assert number == pytest.approx(before[name], nan_ok=True), name


def test_the_landmark_moves_without_a_trace():
    old, new = uses(0), [event("usage.tracked", START + 1_000 * DAY, id="late")]
    assert value("hourly", old + new, START + 1_000 * DAY) == pytest.approx(1.0)
    assert value("long", new + old, START + 1_000 * DAY) == pytest.approx(1 + 2 ** (-1_000 / 30))
