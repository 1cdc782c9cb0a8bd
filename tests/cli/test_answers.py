"""What commands print: one JSON document or words, and nothing that somebody else wrote steers the terminal."""

import json

import pytest

from hub.cli.app import COMMANDS
from tests.cli.conftest import HOSTILE
from tests.e2e.kit import document, pulsehub

READING = [
    ("accounts",),
    ("explain", "parcel:company:evil"),
    ("explain", "parcel:company:evil", "--since", "7d"),
    ("explain", "parcel:company:evil", "--to", "green"),
    ("explain", "--all", "--since", "monday"),
    ("ledger", "parcel:company:evil"),
    ("what-if", "parcel:company:evil", "open_tickets=0", "--event", "meeting.held"),
    ("events", "parcel:company:evil"),
    ("value",),
    ("value", "parcel:company:evil"),
    ("next", "--all"),
    ("next", "--evaluate"),
    ("deliveries",),
    ("deadletters", "list"),
    ("models",),
    ("plugins",),
    ("doctor",),
    ("version",),
]


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_json_is_one_document_and_words_are_words(filled, command):
    json_too = pulsehub(filled.data, *command, "--json", settings=filled.settings)
    assert json_too.returncode == 0, json_too.stderr
    assert isinstance(json.loads(json_too.stdout), dict)
    assert json_too.stderr == ""
    words = pulsehub(filled.data, *command, settings=filled.settings)
    assert words.returncode == 0, words.stderr
    assert words.stdout.strip()
    assert "\x1b" not in words.stdout + words.stderr  # neither a color in a pipe nor what a customer is called


def test_names_and_texts_of_others_are_printed_as_they_are(filled):
    name = HOSTILE.replace("\x1b", r"\x1b")
    accounts = pulsehub(filled.data, "accounts").stdout
    assert name in accounts
    events = pulsehub(filled.data, "events", "parcel:company:evil").stdout
    assert f"{name} cannot log in" in events
    (row,) = document(filled.data, "accounts", "--q", "Evil")["accounts"]
    assert row["name"] == HOSTILE


def test_a_customer_is_found_by_id_reference_or_name(filled):
    by_reference = document(filled.data, "explain", "parcel:company:evil")
    assert by_reference["measures"]
    assert by_reference["base"] + sum(d["points"] for d in by_reference["drivers"]) == pytest.approx(
        by_reference["health"], abs=1e-9
    )
    for name in (by_reference["account"], HOSTILE):
        assert document(filled.data, "explain", name)["account"] == by_reference["account"]


def test_what_moved_and_what_would_are_sums_to_the_last_digit(filled):
    entries = document(filled.data, "ledger", "parcel:company:acme")["entries"]
    assert entries[-1]["was"] is None
    for entry in entries[:-1]:
        told = sum(share["points"] for share in entry["shares"])
        assert told == pytest.approx(entry["health"] - entry["was"], abs=1e-9)
    moved = document(filled.data, "explain", "parcel:company:acme", "--since", "1d")
    assert moved["began"] is not None
    assert sum(share["points"] for share in moved["shares"]) == pytest.approx(moved["health"] - moved["was"], abs=1e-9)
    would = document(filled.data, "what-if", "parcel:company:acme", "open_tickets=0")
    told = sum(share["points"] for share in would["outcome"]["shares"])
    assert told == pytest.approx(would["outcome"]["health"] - would["health"], abs=1e-9) != 0
    by_event = document(filled.data, "what-if", "parcel:company:acme", *["--event", "ticket.solved"] * 2)
    assert by_event["outcome"]["health"] == pytest.approx(would["outcome"]["health"], abs=1e-6)


@pytest.mark.parametrize("command", ["explain", "events", "ledger", "what-if"])
def test_a_customer_nobody_knows_is_said_to_be_unknown(run, filled, command):
    done = run(filled.data, command, "nobody [/b]")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no customer is known as 'nobody [/b]'" in done.stderr
    assert "pulsehub accounts" in done.stderr


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_says_what_it_is_for(run, tmp_path, command):
    done = run(tmp_path / "data", command, "--help")
    assert done.returncode == 0, done.stderr
    assert f"pulsehub {command}" in done.stdout
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [
        (("deadletters", "show", "nothing"), 1, "no dead letter 'nothing'"),
        (("deadletters", "replay", "nothing"), 1, "nothing"),
        (("replay", "nobody"), 2, "no connection is called 'nobody'"),
        (("explain",), 2, "explain whom?"),
        (("explain", "x", "--all"), 2, "explain whom?"),
        (("explain", "--all", "--where", "a=b"), 2, "give one of them"),
        (("explain", "x", "--until", "today"), 2, "--until needs --since"),
        (("explain", "x", "--since", "1d", "--to", "green"), 2, "--to is asked of one customer as it is now"),
        (("explain", "parcel:company:evil", "--since", "someday"), 2, "'someday' is no moment"),
        (("explain", "--all", "--since", "2026-03-02", "--until", "2026-03-01"), 2, "ends after it begins"),
        (("explain", "--where", "plan"), 1, "write name=value"),
        (("explain", "--where", "flavor=sweet"), 1, "profiles have"),
        (("explain", "--where", "band=left"), 1, "no customer is band=left"),
        (("explain", "parcel:company:evil", "--to", "blue"), 1, "choose thriving, steady, watch"),
        (("ledger", "parcel:company:evil", "--cursor", "x"), 2, "--cursor"),
        (("what-if", "parcel:company:evil", "open_ticket=0"), 1, "do you mean open_tickets?"),
        (("what-if", "parcel:company:evil", "open_tickets=nan"), 1, "no number anybody measures"),
        (("what-if", "parcel:company:evil", "open_tickets"), 1, "write name=value"),
        (("what-if", "parcel:company:evil", "--event", "ticket.vanished"), 1, "changes no measure"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_not_there_is_said_to_be_unknown(run, filled, command, status, says):
    done = run(filled.data, *command, settings=filled.settings)
    assert done.returncode == status, done.stderr
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
