"""What people ask of a health, answered from a real database: ledger, movement, the way to green, what if."""

from __future__ import annotations

import math

import pytest
from sqlalchemy import delete, select, update

from hub.store import schema
from hub.store.questions.paging import CursorError
from scoring.clock import DAY
from scoring.explaining.answers import Answers, NoHealthError
from scoring.explaining.asked import goal_of, where
from scoring.explaining.what_if import AskedWrongError, Question
from tests.scoring.room import START, Room, event

pytestmark = pytest.mark.usefixtures("engine")
HOUR = 3_600.0


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path)
    yield room
    room.close()


def opened(room, place, account="acc_1", priority="urgent"):
    room.take(
        [
            event(
                "ticket.opened",
                room.now,
                entity=f"acme:ticket:{account}:{place}",
                account=f"acme:customer:{account}",
                id=f"{account}:open:{place}",
                text=f"It is broken, {place}",
                properties={"priority": priority},
            )
        ],
        account,
    )


def lived(room, account="acc_1", tickets=3):
    """Ten good days, then tickets, hour by hour; then five days of silence."""
    room.take(
        [
            event(
                "session.started",
                START - day * DAY,
                id=f"{account}:s{day}",
                account=f"acme:customer:{account}",
                contact=f"acme:user:{account}:{day % 4}",
            )
            for day in range(10)
        ],
        account,
    )
    for place in range(tickets):
        room.now += HOUR
        opened(room, place, account)


def ask(room, question):
    with room.database.read() as connection:
        return question(Answers(room.config), connection)


def ledger(room, account="acc_1", **how):
    return ask(room, lambda answers, connection: answers.ledger(connection, account, **how))[0]


def moved(room, since, until=None, account="acc_1"):
    until = room.now if until is None else until
    return ask(
        room,
        lambda answers, connection: answers.moved(connection, account, since=since, until=until, now=room.now),
    )


def book(room, since, until=None, ids=None):
    until = room.now if until is None else until
    return ask(room, lambda answers, connection: answers.book(connection, since=since, until=until, ids=ids))


def reached(room, goal="thriving", account="acc_1"):
    return ask(room, lambda answers, connection: answers.reach(connection, account, goal_of(str(goal))))


def supposed(room, *events, account="acc_1", **values):
    return ask(room, lambda answers, connection: answers.what_if(connection, account, Question(values, events)))


def total(shares):
    return math.fsum(share.points for share in shares)


# --- the ledger --------------------------------------------------------------------------------------------------


def test_each_change_is_the_sum_of_what_moved_it(room):
    lived(room)
    room.pass_days(9)
    changes = ledger(room, limit=500)
    assert len(changes) > 5
    assert changes[-1].was is None
    assert changes[-1].shares == []
    for change in changes[:-1]:
        assert total(change.shares) == pytest.approx(change.health - change.was, abs=1e-9)
        assert change.exact


def test_all_changes_together_are_the_way_from_the_first_health_to_the_last(room):
    lived(room)
    room.pass_days(9)
    changes = ledger(room, limit=500)
    way = math.fsum(total(change.shares) for change in changes)
    assert way == pytest.approx(changes[0].health - changes[-1].health, abs=1e-9)


def test_an_urgent_ticket_is_told_with_its_words_and_what_there_was_before(room):
    lived(room)
    first = ledger(room)[0]
    share = next(share for share in first.shares if share.name == "urgent_tickets")
    assert (share.text, share.was, share.by) == ("3 urgent tickets open", "2", "events")
    assert share.points < 0
    assert share.odds < 0
    [cause] = first.causes
    assert (cause.kind, cause.text, cause.at) == ("ticket.opened", "It is broken, 2", room.now)


def test_time_alone_is_a_cause_of_its_own(room):
    lived(room)
    room.pass_days(9)
    silent = ledger(room)[0]
    assert silent.causes == []
    assert silent.passed > 0
    assert {share.by for share in silent.shares} == {"time"}
    assert "days_since_use" in {share.name for share in silent.shares}


def test_a_newer_model_is_a_driver_of_its_own(room):
    lived(room)
    room.learned(version=1, base_rate=0.5)
    room.tick()
    change = ledger(room)[0]
    assert change.model_version == 1
    assert change.shares[0].name == "model"
    assert change.shares[0].by == "model"
    assert total(change.shares) == pytest.approx(change.health - change.was, abs=1e-9)


def test_the_ledger_says_what_was_published(room):
    lived(room)
    room.pass_days(3)
    room.learned(version=1, base_rate=0.3)
    room.pass_days(6)
    changes = ledger(room, limit=500)[:-1]
    assert {change.model_version for change in changes} == {0, 1}
    for change in changes:
        shares = {share.name: share.points for share in change.shares}
        assert change.moved_by
        for driver in change.moved_by:
            assert shares[driver.name] == pytest.approx(driver.points, abs=0.006)  # published in hundredths


def test_another_scorecard_is_a_driver_of_its_own(room):
    lived(room)
    card = room.config.scorecard
    heavier = card.model_copy(
        update={"dimensions": [card.dimensions[0], card.dimensions[1].model_copy(update={"weight": 40.0})]}
    )
    room.config = room.config.model_copy(update={"scorecard": heavier})
    room.config = type(room.config).model_validate(room.config.model_dump())
    room.start()
    room.now += 2 * HOUR
    room.take([event("session.started", room.now, id="again", account="acme:customer:acc_1")])
    change = ledger(room)[0]
    assert {"scorecard"} <= {share.by for share in change.shares}
    assert total(change.shares) == pytest.approx(change.health - change.was, abs=1e-9)


def test_who_is_weighed_by_another_card_moved_by_that(room):
    whole = room.config.model_dump()
    support = [one for one in whole["scorecard"]["dimensions"] if one["name"] == "support"]
    card = {"name": "large", "when": {"plan": ["enterprise"]}, "dimensions": support}
    room.config = type(room.config).model_validate(whole | {"scorecard": whole["scorecard"] | {"cards": [card]}})
    room.start()
    lived(room)
    since = room.now
    room.now += HOUR
    told = {"account": "acme:customer:acc_1", "properties": {"name": "Acme", "plan": "enterprise"}}
    room.take([event("account.updated", room.now, **told)])
    change = ledger(room)[0]
    assert change.at == room.now
    assert change.shares[0].by == "scorecard"
    assert total(change.shares) == pytest.approx(change.health - change.was, abs=1e-9)
    found = book(room, since)
    assert found.parts[0].name == "scorecard"
    assert math.fsum(part.points for part in found.parts) == pytest.approx(found.health - found.was, abs=1e-9)
    assert moved(room, since).shares[0].by == "scorecard"


def test_the_ledger_is_followed_to_its_end_and_back_to_a_moment(room):
    lived(room)
    room.pass_days(9)
    whole = ledger(room, limit=500)
    found, cursor = [], None
    while True:
        some, cursor = ask(
            room,
            lambda answers, connection: answers.ledger(connection, "acc_1", limit=2, cursor=cursor),  # noqa: B023
        )
        found += some
        if cursor is None:
            break
    assert found == whole
    middle = whole[len(whole) // 2].at
    assert ledger(room, limit=500, since=middle) == [change for change in whole if change.at > middle]
    assert ledger(room, limit=500, until=middle) == [change for change in whole if change.at <= middle]
    with pytest.raises(CursorError):
        ledger(room, cursor="nonsense")


def test_rows_of_a_program_of_before_are_told_by_what_they_named(room):
    lived(room)
    room.database.write(lambda connection: connection.execute(update(schema.ledger).values(parts=None))).result()
    room.pass_days(9)
    changes = ledger(room, limit=500)
    assert {change.exact for change in changes} == {True, False}
    for change in changes[:-1]:
        assert total(change.shares) == pytest.approx(change.health - change.was, abs=1e-9)


def test_what_was_before_the_ledger_begins_is_said_by_the_row_itself(room):
    lived(room)
    oldest = min(row.sequence for row in room.rows(select(schema.ledger)))
    gone = delete(schema.ledger).where(schema.ledger.c.sequence == oldest)
    room.database.write(lambda connection: connection.execute(gone)).result()
    last = ledger(room, limit=500)[-1]
    assert last.was is not None
    assert not last.exact
    assert total(last.shares) == pytest.approx(last.health - last.was, abs=1e-9)


def test_an_event_that_the_archive_let_go_of_is_named_by_its_id(room):
    lived(room)
    room.database.write(lambda connection: connection.execute(delete(schema.archive))).result()
    [cause] = ledger(room)[0].causes
    assert (cause.id, cause.kind, cause.at) == ("acc_1:open:2", None, None)


def test_nobody_has_no_ledger(room):
    assert ledger(room, "acc_nobody") == []


# --- what moved --------------------------------------------------------------------------------------------------


def test_what_moved_between_two_moments_adds_up_to_the_health_that_is_shown(room):
    lived(room)
    start = room.now
    room.pass_days(4)
    found = moved(room, START + HOUR / 2)
    [account] = room.rows(select(schema.accounts))
    assert found.health == pytest.approx(account.health, abs=1e-9)
    assert total(found.shares) == pytest.approx(found.health - found.was, abs=1e-9)
    by = {share.name: share for share in found.shares}
    assert (by["urgent_tickets"].was, by["urgent_tickets"].by) == ("0", "events")
    past = moved(room, START + HOUR / 2, start)
    assert past.health == ledger(room, until=start)[0].health
    assert total(past.shares) == pytest.approx(past.health - past.was, abs=1e-9)


def test_who_came_in_the_period_moved_from_its_first_health_on(room):
    lived(room)
    found = moved(room, START - DAY)
    assert found.began == START
    assert found.was == ledger(room, limit=500)[-1].health
    assert total(found.shares) == pytest.approx(found.health - found.was, abs=1e-9)


def test_before_the_first_score_there_is_nothing_to_compare(room):
    lived(room)
    found = moved(room, START - 9 * DAY, START - 8 * DAY)
    assert (found.was, found.health, found.shares) == (None, None, [])


def test_a_period_without_a_row_moved_by_nothing(room):
    lived(room)
    start = room.now
    found = moved(room, start, start + 1.0)
    assert found.changes == 0
    assert abs(found.health - found.was) < 0.5


def test_a_book_moves_by_the_mean_of_its_accounts_and_its_parts_sum_to_it(room):
    lived(room)
    lived(room, "acc_2", tickets=0)
    since = room.now
    room.now += HOUR
    for place in range(6):
        opened(room, place, "acc_2")
    lived(room, "acc_3")
    found = book(room, since)
    assert found.accounts == 2
    assert (found.fell, found.rose) == (1, 0)
    assert math.fsum(part.points for part in found.parts) == pytest.approx(found.health - found.was, abs=1e-9)
    [mover] = found.movers
    assert mover.account == "acc_2"
    assert total(mover.shares) == pytest.approx(mover.health - mover.was, abs=1e-9)
    assert found.health - found.was == pytest.approx((mover.health - mover.was) / 2, abs=1e-9)
    assert [one.account for one in found.came.first] == ["acc_3"]
    assert (found.parts[0].name, found.parts[0].text) == ("urgent_tickets", "urgent tickets open")


def test_who_is_in_another_band_is_named(room):
    lived(room)
    since = room.now
    room.pass_days(12)
    [crossed] = book(room, since).bands.first
    assert (crossed.was_band, crossed.band) == ("thriving", "steady")


def test_who_left_is_told_apart_from_who_fell(room):
    lived(room)
    lived(room, "acc_2")
    since = room.now
    room.now += HOUR
    room.take([event("account.deleted", room.now, account="acme:customer:acc_2")], "acc_2")
    found = book(room, since)
    assert (found.accounts, found.left.number, [one.account for one in found.left.first]) == (1, 1, ["acc_2"])


def test_a_book_of_some_is_of_those(room):
    lived(room)
    lived(room, "acc_2")
    since = room.now
    opened(room, 9, "acc_2")
    assert book(room, since - 1, ids=["acc_2"]).accounts == 1
    assert book(room, since - 1, ids=[]).accounts == 0
    assert book(room, since - 1).accounts == 2


def test_a_book_across_a_newer_model_adds_up(room):
    lived(room)
    lived(room, "acc_2", tickets=1)
    since = room.now
    room.now += HOUR
    room.learned(version=1, base_rate=0.3)
    room.tick()
    found = book(room, since)
    assert found.parts[0].name == "model"
    assert math.fsum(part.points for part in found.parts) == pytest.approx(found.health - found.was, abs=1e-9)


def test_an_empty_book_has_not_moved(room):
    found = book(room, START - DAY)
    assert (found.accounts, found.was, found.health, found.parts, found.movers) == (0, None, None, [], [])


def test_a_segment_is_who_shares_a_property(room):
    room.take([event("account.updated", properties={"name": "Acme", "plan": "Enterprise"})])
    room.take([event("account.updated", account="acme:customer:2", properties={"name": "B", "plan": "free"})], "acc_2")

    def found(**wanted):
        with room.database.read() as connection:
            return where(connection, wanted)

    assert found(plan="enterprise") == ["acc_1"]
    assert found(plan="gold") == []
    assert found(name="b", plan="free") == ["acc_2"]
    with pytest.raises(AskedWrongError, match=r"no customer's profile has 'tier'; profiles have .*plan"):
        found(tier="gold")


# --- what would bring it to green --------------------------------------------------------------------------------


def test_the_fewest_things_in_the_smallest_steps_bring_it_to_a_band(room):
    lived(room)
    room.pass_days(12)
    found = reached(room, 64)
    assert found.health < 64
    way = found.ways[0]
    assert way.health >= 64
    assert total(way.shares) == pytest.approx(way.health - found.health, abs=1e-9)
    [step] = way.steps
    assert step.name in ("open_tickets", "urgent_tickets")
    one_less = {"open_tickets": step.value + 1, "urgent_tickets": step.value + 1}  # solved, a ticket is neither
    assert supposed(room, **one_less).outcome.health < 64


def test_what_is_proposed_is_what_the_scorer_says_of_it(room):
    lived(room)
    room.pass_days(12)
    ways = reached(room, 64).ways
    assert ways
    for way in ways:
        values = {step.name: step.value for step in [*way.steps, *way.follows]}
        assert supposed(room, **values).outcome.health == pytest.approx(way.health, abs=1e-9)
        assert all(step.actionable for step in way.steps)


def test_a_solved_ticket_is_not_open_any_more(room):
    lived(room)
    found = reached(room, 100)
    values = {step.name: step.value for step in [*found.nearest.steps, *found.nearest.follows]}
    assert values["urgent_tickets"] <= values["open_tickets"]
    assert values["open_tickets"] > 0 or values.get("oldest_ticket", 0.0) == 0.0


def test_what_cannot_be_reached_is_said_with_the_nearest(room):
    lived(room)
    found = reached(room, 100)
    assert found.ways == []
    assert found.nearest.health > found.health
    assert found.note == f"what one can act on brings it to {found.nearest.health:.1f} at best"


def test_who_is_there_needs_nothing(room):
    lived(room)
    found = reached(room, 1)
    assert found.there
    assert (found.ways, found.nearest, found.note) == ([], None, "")


def test_where_nothing_can_be_acted_on_it_says_so(room):
    lived(room)
    room.pass_days(12)
    room.config = room.config.model_copy(
        update={"measures": tuple(m.model_copy(update={"actionable": False}) for m in room.config.measures)}
    )
    assert reached(room).note == "no measure is marked `actionable` in measures.yaml"


@pytest.mark.parametrize("goal", ["at_risk", "left", "blue", "nan", "101", "-1", "inf"])
def test_what_is_no_goal_is_refused(room, goal):
    lived(room)
    with pytest.raises(AskedWrongError):
        reached(room, goal)


def test_green_is_thriving():
    assert (goal_of("green"), goal_of("Steady"), goal_of("72.5")) == ("thriving", "steady", 72.5)


# --- what if -----------------------------------------------------------------------------------------------------


def test_solved_tickets_are_supposed_by_value_or_by_event_and_come_to_the_same(room):
    lived(room)
    by_value = supposed(room, open_tickets=0, urgent_tickets=0)
    by_event = supposed(room, "ticket.solved", "ticket.solved", "ticket.solved")
    assert by_value.outcome.health > by_value.health
    assert by_event.outcome.health == pytest.approx(by_value.outcome.health, abs=1e-6)
    assert total(by_value.outcome.shares) == pytest.approx(by_value.outcome.health - by_value.health, abs=1e-9)
    assert {step.name for step in by_value.outcome.steps} == {"open_tickets", "urgent_tickets"}


def test_nothing_supposed_is_what_there_is(room):
    lived(room)
    found = supposed(room)
    assert (
        found.outcome.health
        == found.health
        == pytest.approx(room.rows(select(schema.accounts.c.health))[0][0], abs=1e-9)
    )
    assert (found.outcome.steps, found.outcome.follows, found.outcome.shares) == ([], [], [])


def test_supposing_writes_nothing(room):
    lived(room)
    before = {table.name: room.rows(select(table)) for table in schema.metadata.sorted_tables}
    supposed(room, "ticket.solved", "meeting.held", nps=9)
    reached(room)
    assert {table.name: room.rows(select(table)) for table in schema.metadata.sorted_tables} == before


def test_it_is_asked_of_the_newest_models(room):
    lived(room)
    room.learned(version=1, base_rate=0.5)
    found = supposed(room, open_tickets=0)
    assert found.model_version == 1


def test_an_event_may_say_more(room):
    lived(room, tickets=0)
    plain, urgent = (supposed(room, f"ticket.opened{more}") for more in ("?priority=low", "?priority=urgent"))
    assert urgent.outcome.health < plain.outcome.health < plain.health
    paid = supposed(room, "subscription.started?amount=500&currency=EUR")
    assert next(step for step in paid.outcome.follows if step.name == "mrr").value == 500


def test_unknown_can_be_supposed(room):
    lived(room)
    assert supposed(room, nps="unknown").outcome.steps[0].value is None


@pytest.mark.parametrize(
    ("values", "events", "says"),
    [
        ({"open_ticket": 0}, [], "do you mean open_tickets.*there are usage_7d"),
        ({"open_tickets": "nan"}, [], "no number anybody measures"),
        ({"open_tickets": float("inf")}, [], "no number anybody measures"),
        ({"open_tickets": 1e300}, [], "no number anybody measures"),
        ({"open_tickets": -1}, [], "less than nothing"),
        ({"open_tickets": 2.5}, [], "counts whole things"),
        ({"open_tickets": "some"}, [], "'some' is no number"),
        ({"active_days": 40}, [], "of the last 28 days"),
        ({}, ["ticket.close"], "changes no measure"),
        ({}, ["ticket.solved"] * 4, "no ticket is open any more"),
        ({}, ["meeting.held"] * 101, "at most 100"),
        ({}, ["refund.issued?amount=lots"], "no amount of money"),
        ({}, ["csat.rated?value=nan"], "no number anybody measures"),
    ],
)
def test_what_cannot_be_is_refused_in_words(room, values, events, says):
    lived(room)
    with pytest.raises(AskedWrongError, match=says):
        supposed(room, *events, **values)


def test_who_has_no_health_cannot_be_asked_about(room):
    with pytest.raises(NoHealthError):
        supposed(room, account="acc_nobody")
    with pytest.raises(NoHealthError):
        reached(room, account="acc_nobody")
