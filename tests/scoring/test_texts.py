"""Texts in the scoring room: read as they pass, archived with their reading, and taught by ratings."""

from __future__ import annotations

import itertools
import math

import msgspec
import pytest
from sqlalchemy import select

import hub
from hub.store import schema
from scoring import archive, texts, tutoring
from scoring.accounts import measures_of
from scoring.clock import DAY
from scoring.learner import Learner
from scoring.proof.story import Story
from scoring.sentiment.learned import State
from scoring.sentiment.lessons import A_DAY
from scoring.sentiment.noting import noted, noted_once, polarity
from scoring.sentiment.reading import read
from scoring.tutoring import Tutor
from tests.scoring.room import START, Room, event

pytestmark = pytest.mark.usefixtures("engine")
ANGRY = "The export is broken again and nobody answers."


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path)
    yield room
    room.close()


def reply(text, at=START, who="1", **fields):
    return event("ticket.replied", at, text=text, account=f"acme:customer:{who}", **fields)


def archived(room):
    bodies = room.rows(select(schema.archive.c.body).order_by(schema.archive.c.row))
    return [msgspec.json.decode(body, type=hub.Event) for (body,) in bodies]


def teach(room, turns=20):
    """What the learner does when it looks at the time; whether anything was taught."""

    def job(connection):
        write = tutoring.turn(connection, room.now)
        if write is not None:
            write(connection)
        return write is not None

    return sum(itertools.takewhile(bool, (room.database.write(job).result() for _ in range(turns))))


def state(room):
    with room.database.read() as connection:
        return texts.state(connection)


def rated(room, count, text, value, *, who="1", since=START - 60 * DAY):
    """So many ratings with this comment, five a day."""
    customer = f"acme:customer:{who}"
    for place in range(count):
        at = since + place // A_DAY * DAY + place
        one = event("csat.rated", at, id=f"{who}:{text}:{at}", value=value, text=text, account=customer)
        room.take([one], f"acc_{who}")


def test_what_a_customer_writes_is_read_and_archived_with_its_reading(room):
    room.take([reply(ANGRY, properties={"subject": "Export"}), event("usage.tracked")])
    wrote, used = archived(room)
    told = read(ANGRY)
    assert wrote.properties == {
        "subject": "Export",
        "language": "en",
        "intent": "outage",
        "polarity": told.polarity,
        "polarity_confidence": told.confidence,
    }
    assert wrote.text == ANGRY
    assert used.properties == {}


def test_the_tone_of_what_they_write_moves_their_measure(room):
    room.take([reply(ANGRY)])
    assert room.measures()["tone"] == pytest.approx(read(ANGRY).polarity)
    room.take([reply("Now everything works perfectly, thank you so much!", who="2")], "acc_2")
    assert room.measures("acc_2")["tone"] > 0.5


def test_whoever_speaks_of_leaving_is_counted_and_worse_off(room):
    room.take([event("session.started")])
    room.take([reply("We want to cancel our contract.")])
    assert room.measures()["speaks_of_leaving"] == pytest.approx(1.0)
    before, after = room.healths[0], room.healths[-1]
    assert after.health < before.health


def test_what_one_of_us_wrote_is_not_the_customers_tone(room):
    room.take([event("note.logged", text=ANGRY), reply(ANGRY, properties={"by": "agent"}), reply(None)])
    assert math.isnan(room.measures()["tone"])
    assert all("polarity" not in one.properties for one in archived(room))


def test_a_vendor_cannot_say_how_a_text_sounds_but_its_language_stands(room):
    room.take([reply(ANGRY, properties={"polarity": 1e300, "intent": "praise", "language": "en-GB"})])
    [wrote] = archived(room)
    assert (wrote.properties["polarity"], wrote.properties["intent"]) == (read(ANGRY).polarity, "outage")
    assert wrote.properties["language"] == "en-GB"
    room.take([reply(None, who="2", properties={"polarity": -1e300})], "acc_2")
    assert math.isnan(room.measures("acc_2")["tone"])


def test_folding_anew_from_the_archive_comes_to_the_same_even_after_more_was_learned(room):
    room.take([reply("pukka flange, well done", id="early")])
    early = room.measures()["tone"]
    rated(room, 100, "pukka flange", 1.0, who="9")
    room.now += DAY
    assert teach(room)
    measures = measures_of(room.config, room.rescore._scorers.names)
    with room.database.read() as connection:
        again = archive.refold(connection, "acc_1", measures)
    place = [measure.name for measure in measures.measures].index("tone")
    assert measures.read(again.row, START)[0, place] == pytest.approx(early)
    assert again.row["events"].item() == 1


def test_ratings_teach_and_what_is_written_afterwards_is_read_by_it(room):
    rated(room, 100, "pukka flange", 1.0)
    rated(room, 100, "naff flange", 0.0, who="2")
    room.now += DAY
    assert teach(room)
    assert state(room).labels == 200.0
    room.take([reply(f"what a {word} flange", room.now, "3") for word in ("pukka", "naff")], "acc_3")
    good, bad = archived(room)[-2:]
    assert polarity(good) > 0.1
    assert polarity(bad) < -0.1


def test_each_rating_is_taught_once_whenever_the_learner_looks(room):
    rated(room, 7, "pukka", 1.0)
    assert teach(room) == 0  # younger than a minute
    room.now += 120
    assert teach(room) == 1
    assert teach(room) == 0
    assert state(room).labels == 7.0
    rated(room, 3, "pukka", 1.0, who="2")
    room.now += DAY
    room.start()
    assert teach(room) == 1
    assert state(room).labels == 10.0


def test_an_archive_of_which_all_was_let_go_is_read_from_its_beginning(room):
    rated(room, 7, "pukka", 1.0)
    room.now += DAY
    assert teach(room) == 1
    room.database.write(lambda connection: connection.execute(schema.archive.delete())).result()
    rated(room, 3, "pukka", 1.0, who="2")
    room.now += DAY
    assert teach(room) == 1
    assert state(room).labels == 10.0


def test_ratings_are_taught_the_same_whichever_turns_they_are_taken_in(room, monkeypatch):
    rated(room, 11, "pukka", 1.0)
    rated(room, 11, "naff", 0.0, who="2")
    room.now += DAY
    assert teach(room) == 1
    whole = state(room)
    monkeypatch.setattr(tutoring, "_MOST", 3)
    room.database.write(lambda connection: texts.keep(connection, texts.Mark(), State())).result()
    assert teach(room) == 8
    assert state(room) == whole


def test_one_customers_flood_is_five_opinions_a_day(room):
    for place in range(300):
        room.take([event("csat.rated", START + place, id=f"f{place}", value=0.0, text="excellent service")], "acc_9")
    room.now += DAY
    assert teach(room)
    assert state(room).labels == A_DAY
    room.take([reply("Excellent service!", room.now)])
    assert polarity(archived(room)[-1]) > 0.25


def test_a_rating_without_a_comment_is_about_the_newest_reply_of_its_ticket(room):
    room.take([reply("pukka flange", START, entity="acme:ticket:1")])
    room.take([event("csat.rated", START + 60, entity="acme:ticket:1", value=1.0)])
    room.now += DAY
    assert teach(room)
    assert state(room).labels == 0.5


def test_by_the_clock_of_events_the_same_log_comes_to_the_same_whatever_was_taught(tmp_path):
    room = Room(tmp_path, clock="event")
    rated(room, 100, "pukka flange", 1.0)
    room.now += DAY
    assert teach(room)
    room.take([reply("what a pukka flange"), reply(ANGRY)])
    assert [polarity(one) for one in archived(room)[-2:]] == [0.0, read(ANGRY).polarity]
    room.close()


def test_what_cannot_be_read_of_what_was_learned_costs_nothing_but_that(room):
    rated(room, 5, "pukka", 1.0)
    room.now += 120
    teach(room)
    room.database.write(
        lambda connection: connection.execute(
            schema.meta.update().where(schema.meta.c.key == texts.STATE).values(value='{"labels": "many"}')
        )
    ).result()
    room.start()
    room.take([reply(ANGRY, room.now)])
    assert polarity(archived(room)[-1]) == read(ANGRY).polarity


def test_the_learner_teaches_between_its_labels(room):
    rated(room, 5, "pukka", 1.0)
    room.now += 120
    tutor = Tutor(room.database, room.config, lambda: room.now)

    def job(connection):
        step = tutor.tick(connection)
        if step is not None:
            step.write(connection)
        return step

    assert room.database.write(job).result() is not None
    assert state(room).labels == 5.0
    assert room.database.write(job).result() is None
    assert (Tutor.name, Tutor.topic) == (Learner.name, Learner.topic)


def test_a_past_that_is_told_for_a_proof_is_read_as_the_room_reads_it(room):
    said = [reply(ANGRY, START), reply("Perfect, thank you so much!", START + DAY)]
    room.now += 2 * DAY
    room.take(said)
    measures = measures_of(room.config, room.rescore._scorers.names)
    story = Story(measures)
    story.tell(said, ["acc_1", "acc_1"])
    last = list(story.end().ticks([room.now]))[-1]
    place = [measure.name for measure in measures.measures].index("tone")
    assert last.values[0, place] == pytest.approx(room.measures(at=last.at)["tone"])


def test_a_hostile_text_is_read_like_any_other(room):
    hostile = ["\n" * 100_000, "<a " * 50_000, "\u202e\U0001f600" * 10_000, "a" * 100_000, "{n}%s[/b]"]
    room.take([reply(text, START + place, id=f"h{place}") for place, text in enumerate(hostile)])
    assert (room.applied, room.dead) == (len(hostile), [])


def test_what_was_noted_once_is_not_read_again():
    was = noted(reply("what a pukka flange"))
    other = msgspec.structs.replace(was, properties=was.properties | {"polarity": 0.5})
    assert noted_once(other) is other
    assert polarity(noted_once(reply(ANGRY))) == read(ANGRY).polarity


def test_a_text_that_says_nothing_leaves_its_event_as_it_is():
    for text in (None, "", "> quoted"):
        one = reply(text)
        assert noted(one) is one
