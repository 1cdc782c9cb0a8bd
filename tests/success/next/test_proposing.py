"""What is proposed, and when nothing is; told, settled and kept, on either engine."""

from dataclasses import replace

import pytest
from sqlalchemy import func, insert, select

from hub.sdk.errors import ConfigError
from hub.sdk.health import Driver
from hub.store import schema
from hub.success.next import proposing, record
from hub.success.next.declared import Action, Actions, load
from hub.success.next.proposing import HeldError, Next
from scoring.explaining.explain import Explanation, Reading
from scoring.loading import load as load_config
from scoring.sources import Told

DAY = 86_400.0
NOW = 20_000 * DAY
CALL = Action(name="call", label="Call them", bands=("at_risk", "watch"), cooldown=14 * DAY)
TICKETS = Action(name="tickets", label="Solve tickets", when={"urgent_tickets": ">= 1"}, cooldown=30 * DAY)
TRAINING = Action(name="training", label="Train them", weighs="adoption", cooldown=0)
ACTIONS = Actions(actions=(TICKETS, CALL, TRAINING))
CONFIG = load_config()


def reading(name, value, dimension="support"):
    return Reading(name, name, value, "", dimension, "down", NOW)


WHY = Explanation(
    health=35.0,
    band="at_risk",
    risk=0.4,
    base=70.0,
    drivers=[
        Driver("urgent_tickets", "3 urgent tickets open", -20.0, "support"),
        Driver("usage", "use at 40 %", -15.0, "adoption"),
    ],
    measures=[reading("urgent_tickets", 3.0), reading("usage", 0.4, "adoption")],
    as_of=NOW,
    config_version="c1",
    model_version=7,
    computed=35.0,
    override=None,
    card="",
    rollup=None,
    confidence=1.0,
    sources=[],
)


@pytest.fixture
def ask(database, monkeypatch):
    """Propose for an account that is as `why` says."""

    def asked(why=WHY, now=NOW, actions=ACTIONS, account="acc_1"):
        monkeypatch.setattr(proposing, "explain", lambda *_: why)
        return Next(actions, CONFIG).propose(database, account, now=now, wall=now)

    asked.database = database
    return asked


def became(database, health, at, *, account="acc_1", band="watch", sequence=1):
    """What the ledger says of an account at a moment."""

    def write(connection):
        if connection.scalar(select(schema.accounts.c.id).where(schema.accounts.c.id == account)) is None:
            connection.execute(
                insert(schema.accounts).values(
                    id=account,
                    partition=0,
                    state=b"",
                    scored_at=at,
                    last_event_at=at,
                    health=health,
                    band=band,
                    model_version=0,
                )
            )
        connection.execute(
            insert(schema.ledger).values(
                partition=0, sequence=sequence, account=account, at=at, health=health, band=band, message=b"{}"
            )
        )

    database.write(write).result()


def kept(database):
    with database.read() as connection:
        return record.every(connection)


def test_a_proposal_says_what_why_and_with_which_chance_and_is_written_down(ask):
    made = ask()
    assert made.label
    assert "because: 3 urgent tickets open" in made.reason or made.action != "tickets"
    assert list(made.chances) == ["tickets", "call", "training"]
    assert made.propensity == made.chances[made.action] >= 0.1 / 3 - 1e-12
    assert made.chances["tickets"] == pytest.approx(0.9 + 0.1 / 3)
    assert (made.config_version, made.model_version, made.actions_version) == ("c1", 7, ACTIONS.version)
    assert (made.taken, made.reward, made.due) == (None, None, NOW + 30 * DAY)
    assert kept(ask.database) == [made]


def test_it_is_cautious_and_says_how_many_outcomes_it_needs(ask):
    found = [ask(account=f"acc_{n}") for n in range(30)]
    first = next(one for one in found if one.action == "tickets")
    assert "cautious: 0 of 30 outcomes known, until then your order decides" in first.reason
    assert "chosen with 93%" in first.reason
    assert all("to learn what it is good for" in one.reason for one in found if one.action != "tickets")


def test_asked_again_it_is_the_same_until_its_time_is_over(ask):
    made = ask()
    assert ask(now=NOW + 6 * DAY) == made
    later = ask(replace(WHY, as_of=NOW + 8 * DAY), now=NOW + 8 * DAY)
    assert later.at == NOW + 8 * DAY
    assert made.action not in later.chances or made.action == "training", "its cooldown is not over"


def test_what_was_done_is_kept_and_is_what_cools_down(ask):
    made = ask()
    told = Next(ACTIONS, CONFIG).took(ask.database, "acc_1", "call", now=NOW + DAY)
    assert (told.taken, told.taken_at, told.action) == ("call", NOW + DAY, made.action)
    assert "call" not in ask(replace(WHY, as_of=NOW + 8 * DAY), now=NOW + 8 * DAY).chances
    assert [one.taken for one in kept(ask.database)] == ["call", None]


def test_what_was_never_proposed_or_does_not_exist_cannot_be_the_answer(ask):
    ours = Next(ACTIONS, CONFIG)
    with pytest.raises(HeldError, match="nothing was proposed"):
        ours.took(ask.database, "acc_1", "call", now=NOW)
    with pytest.raises(HeldError, match="there are tickets, call, training, none"):
        ours.took(ask.database, "acc_1", "dance", now=NOW)
    ask()
    assert ours.took(ask.database, "acc_1", "none", now=NOW).taken == "none"
    with pytest.raises(HeldError, match="nothing was proposed"):
        ours.took(ask.database, "acc_1", "call", now=NOW + 31 * DAY)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (None, "no health yet"),
        (replace(WHY, band=None), "no health yet"),
        (replace(WHY, band="left"), "customer no more"),
        (replace(WHY, sources=[Told("zendesk", NOW, NOW - 9 * DAY, silent=True)]), "nothing is heard from zendesk"),
        (replace(WHY, as_of=NOW - 8 * DAY), "older than a week"),
        (replace(WHY, band="thriving", drivers=[], measures=[]), "no action applies"),
    ],
)
def test_nothing_is_proposed_of_what_nobody_knows_nor_of_who_left(ask, why, said):
    with pytest.raises(HeldError, match=said):
        ask(why)
    assert kept(ask.database) == []


def test_an_action_applies_where_all_its_conditions_hold():
    assert [one.name for one in ACTIONS.actions if proposing.applies(one, WHY)] == ["tickets", "call", "training"]
    calm = replace(WHY, band="steady", measures=[reading("urgent_tickets", None)], drivers=WHY.drivers[1:])
    assert [one.name for one in ACTIONS.actions if proposing.applies(one, calm)] == ["training"]


@pytest.mark.parametrize(
    ("health", "band", "reward"),
    [
        (41.0, "watch", 1.0),
        (39.0, "at_risk", 0.0),
        (62.0, "steady", 1.0),
        (62.0, "left", 0.0),
        (10.0, "at_risk", 0.0),
    ],
)
def test_what_came_of_it_is_known_when_its_whole_time_has_passed_whichever_way_it_ended(ask, health, band, reward):
    made = ask()
    became(ask.database, 35.0, NOW - DAY)
    became(ask.database, health, NOW + 3 * DAY, band=band, sequence=2)
    became(ask.database, 99.0, made.due + DAY, band="thriving", sequence=3)  # what comes later does not count
    assert ask.database.write(lambda c: record.settle(c, made.due - 1.0)).result() == 0
    assert [one.reward for one in kept(ask.database)] == [None], "a loss is no outcome before its time either"
    assert ask.database.write(lambda c: record.settle(c, made.due)).result() == 1
    assert [one.reward for one in kept(ask.database)] == [reward]
    assert ask.database.write(lambda c: record.settle(c, made.due + 9 * DAY)).result() == 0


def test_of_an_account_that_was_merged_away_nobody_knows_what_came(ask):
    made = ask()
    assert ask.database.write(lambda c: record.settle(c, made.due)).result() == 0
    assert kept(ask.database) == []


def test_a_restart_changes_nothing(ask):
    ours = [ask(account=f"acc_{n}") for n in range(5)]
    with ask.database.read() as connection:
        again = [Next(ACTIONS, CONFIG).open(connection, f"acc_{n}", NOW) for n in range(5)]
        assert again == ours
        assert connection.scalar(select(func.count()).select_from(schema.proposals)) == 5


def test_once_there_is_evidence_the_better_action_is_proposed_and_the_reason_has_the_numbers(ask):
    for n in range(160):
        action = ("tickets", "call")[n % 2]
        chances = {"tickets": 0.5, "call": 0.5}
        one = record.Proposal(
            account=f"old_{n}",
            at=NOW - 60 * DAY,
            due=NOW - 30 * DAY,
            action=action,
            label="",
            reason="",
            propensity=0.5,
            chances=chances,
            context=proposing.context_of(WHY),
            health=35.0,
            risk=0.4,
            rise=5.0,
            config_version="",
            model_version=1,
            actions_version="",
            taken=action,
        )
        ask.database.write(lambda c, one=one: record.keep(c, one)).result()
        became(ask.database, 80.0 if action == "call" else 35.0, NOW - 40 * DAY, account=f"old_{n}", sequence=n + 10)
    made = next(one for n in range(20) if (one := ask(account=f"acc_{n}")).action == "call" and one.propensity > 0.5)
    assert made.chances["call"] == pytest.approx(0.9 + 0.1 / 3)
    assert "were better after it, at least" in made.reason


# --- actions.yaml -----------------------------------------------------------------------------------------------------


def test_ours_speaks_only_of_measures_that_there_are():
    assert [one.name for one in load(None, CONFIG).actions][:2] == ["solve_tickets", "billing_call"]
    only = CONFIG.model_copy(update={"measures": CONFIG.measures[:1]})
    assert [one.name for one in load(None, only).actions] == ["call", "training", "sponsor"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("actions: [{name: call}]", "actions.yaml, actions.0.label"),
        ("actions: [{name: Call!, label: x}]", "actions.yaml, actions.0.name"),
        ("actions: [{name: a, label: x, when: {nothing: '>= 1'}}]", "a: there is no measure nothing"),
        ("actions: [{name: a, label: x, weighs: magic}]", "a: there is no dimension magic"),
        ("actions: [{name: a, label: x, when: {csat: about 3}}]", "is no condition"),
        ("actions: [{name: a, label: x}, {name: a, label: y}]", "action a is declared twice"),
        ("actions: [{name: none, label: x}]", "can be called none"),
        ("explore: 0", "actions.yaml, explore"),
        ("horizon: forever", "actions.yaml, horizon"),
    ],
)
def test_what_makes_no_sense_in_the_file_is_said_with_its_place(tmp_path, written, said):
    (tmp_path / "actions.yaml").write_text(written)
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, CONFIG)


def test_no_actions_is_nothing_to_propose(tmp_path, ask):
    (tmp_path / "actions.yaml").write_text("actions: []")
    with pytest.raises(HeldError, match="no action applies"):
        ask(actions=load(tmp_path, CONFIG))
