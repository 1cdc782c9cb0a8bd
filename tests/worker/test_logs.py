"""The program's log: one JSON object a line."""

import json
import logging

from hub.logs import Lines


def line(*arguments, **more):
    record = logging.getLogger("streams").makeRecord("streams", logging.WARNING, "f.py", 1, *arguments, **more)
    return json.loads(Lines().format(record))


def test_a_line_has_its_name_level_and_what_it_was_given():
    told = line("streams.down", (), None, extra={"room": "scoring.rescore", "tries": 3})
    assert told.pop("at").endswith("Z")
    assert told == {
        "level": "warning",
        "event": "streams.down",
        "logger": "streams",
        "room": "scoring.rescore",
        "tries": 3,
    }


def test_what_json_cannot_hold_is_written_as_words():
    assert line("streams.down", (), None, extra={"error": OSError("disk\nfull")})["error"] == "disk\nfull"


def test_an_exception_is_part_of_its_line():
    try:
        raise ValueError("seven")
    except ValueError as error:
        told = line("streams.down", (), (ValueError, error, error.__traceback__))
    assert "ValueError: seven" in told["exception"]
