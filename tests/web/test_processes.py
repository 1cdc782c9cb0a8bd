"""What is made of the processes that were heard of: who holds what, what nobody does, when a person should act."""

from hub.store.heartbeats import Process
from hub.web.processes import GONE, HANDOVER, fleet, halts

NOW = 100_000.0
ROOMS = ("scoring.rescore", "sinks.fields")


def process(name, rooms=None, *, role="worker", age=1.0, since=NOW - 1_000, version="0.2.0", **state):
    told = {"rooms": rooms or {}, "since": since, "delivers": [], "halted": {}, "failed": None, "ready": True} | state
    return Process(f"{name}:4711:1", role, version, NOW - 5_000, age, told)


def both(*partitions):
    return {room: list(partitions) for room in ROOMS}


def look(*heard, **more):
    return fleet(heard, NOW, **{"rooms": ROOMS, "partitions": 6, **more})


def rows(seen):
    return [(one.host, one.state, [share.text for share in one.shares]) for one in seen.rows]


def test_all_is_held_by_those_who_live():
    seen = look(process("a", both(0, 1, 2)), process("b", both(3, 4, 5)), process("c", role="web"))
    assert rows(seen) == [("c", "well", []), ("a", "well", ["0–2", "0–2"]), ("b", "well", ["3–5", "3–5"])]
    assert seen.gaps == []
    assert seen.roles == {"web": 1, "worker": 2}
    assert [room.holders for room in seen.rooms.values()] == [2, 2]
    assert all(all(room.held) for room in seen.rooms.values())


def test_a_list_that_is_long_is_counted_and_kept_in_full():
    (one,) = look(process("a", {"scoring.rescore": list(range(0, 64, 2))}), partitions=64).rows
    assert one.shares[0].text == "32 of 64"
    assert one.shares[0].partitions.startswith("0, 2, 4, 6")


def test_what_was_claimed_later_is_no_longer_anothers():
    # killed a moment ago: its last word stands, but others were given what it had
    killed = process("killed", both(0, 1, 2), age=14.0)
    seen = look(killed, process("heir", both(0, 1, 2, 3, 4, 5), since=NOW - 2))
    assert rows(seen) == [("killed", "late", ["none", "none"]), ("heir", "well", ["all", "all"])]


def test_who_is_silent_holds_nothing_and_what_it_held_is_taken_over_at_first():
    seen = look(process("a", both(0, 1, 2)), process("b", both(3, 4, 5), age=21.0, delivers=["crm"]), sinks=["crm"])
    assert rows(seen)[1] == ("b", "silent", [])
    assert [(gap.name, gap.partitions, gap.red) for gap in seen.gaps] == [
        ("scoring.rescore", "3–5", False),
        ("sinks.fields", "3–5", False),
        ("crm", "", False),
    ]


def test_what_nobody_took_over_in_time_is_for_a_person():
    silent = process("b", both(3, 4, 5), age=HANDOVER + 1)
    seen = look(process("a", both(0, 1, 2)), silent, sinks=["crm"])
    assert {gap.name for gap in seen.gaps if gap.red} == {"scoring.rescore", "sinks.fields", "crm"}
    assert seen.gaps[0].since == NOW - HANDOVER - 1


def test_a_room_that_nobody_runs_is_for_a_person_at_once():
    seen = look(process("a", {"sinks.fields": [0, 1, 2, 3, 4, 5]}), process("w", role="web"))
    assert [(gap.name, gap.partitions, gap.red, gap.since) for gap in seen.gaps] == [
        ("scoring.rescore", "", True, None)
    ]


def test_without_any_worker_one_thing_is_said_not_two():
    seen = look(process("w", role="web"), sinks=["crm"])
    assert [gap.of for gap in seen.gaps] == ["room", "room"]


def test_more_workers_than_partitions_leave_no_gap():
    seen = look(process("a", both(0, 1, 2, 3, 4, 5)), process("b", both()))
    assert seen.gaps == []
    assert rows(seen)[1] == ("b", "well", ["none", "none"])


def test_what_stands_still_is_told_with_its_process():
    why = {"scoring.rescore": {"reason": "the disk is gone", "since": NOW - 60}}
    broken = process("a", both(0, 1, 2, 3, 4, 5), halted=why, failed="the disk is gone", ready=False)
    assert rows(look(broken))[0][:2] == ("a", "halted")
    (halt,) = halts([broken])
    assert (halt.room, halt.reason, halt.since, halt.where) == (
        "scoring.rescore",
        "the disk is gone",
        NOW - 60,
        "worker on a, pid 4711",
    )


def test_a_process_that_loads_says_so():
    assert rows(look(process("a", both(), ready=False)))[0][1] == "starting"


def test_versions_are_told_apart_of_those_who_live():
    seen = look(process("a"), process("b", version="0.3.0"), process("c", version="0.1.0", age=99))
    assert seen.versions == {"0.2.0": 1, "0.3.0": 1}


def test_who_went_silent_long_ago_is_only_counted():
    seen = look(process("a"), *(process(f"b{n}", age=GONE + n) for n in (1, 2)))
    assert [row.host for row in seen.rows] == ["a"]
    assert (seen.lost, seen.lost_at) == (2, NOW - GONE - 1)


def test_where_we_were_silent_ourselves_the_database_was_away_and_nobody_died():
    seen = look(process("me", role="web", age=60.0), process("a", both(0, 1, 2, 3, 4, 5), age=62.0), me="me:4711:1")
    assert [row.state for row in seen.rows] == ["well", "well"]
    assert seen.gaps == []


def test_a_process_of_another_program_may_say_less():
    seen = look(Process("odd", "worker", "9.9.9", NOW, 1.0, {}))
    assert rows(seen) == [("odd", "well", [])]
