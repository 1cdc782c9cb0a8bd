"""The program's log: one JSON object a line."""

import json
import logging
import re

import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from hub.logs import Lines, configure_logging

SOMEBODY = {"age": "Ada King, 36"}  # here, since a traceback shows the lines of its frames


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


def told(error, **more):
    try:
        raise error
    except Exception as raised:  # noqa: BLE001 - any
        return line("streams.down", (), (type(raised), raised, raised.__traceback__), **more)["exception"]


def test_what_an_error_quotes_is_not_told():
    class Person(BaseModel):
        age: int

    with pytest.raises(ValidationError) as wrong:
        Person.model_validate(SOMEBODY)
    for error in (
        ValueError("could not convert string to float: 'Ada King'"),
        ValueError('no such customer: "Ada \\" King"'),
        wrong.value,
        RuntimeError(
            "duplicate key\nDETAIL:  Key (name)=(Ada King) already exists.\nCONTEXT:  COPY contacts: Ada King"
        ),
    ):
        said = told(error)
        assert "Ada" not in said
        assert "King" not in said
        assert type(error).__name__ in said
    assert told(KeyError("signing_secret")).endswith("KeyError: 'signing_secret'")


def test_a_chain_of_errors_is_told_in_order():
    def chained():
        try:
            raise ValueError("first")
        except ValueError as error:
            raise TypeError("second") from error

    with pytest.raises(TypeError) as caught:
        chained()
    said = told(caught.value)
    assert said.index("ValueError: first") < said.index("TypeError: second")


def test_addresses_and_passwords_are_not_told_wherever_they_stand():
    said = line(
        "sinks.down",
        (),
        None,
        extra={"reason": "550 <ada.king@northwind.example> unknown", "of": ["postgresql://hub:hunter2@db:5432/hub"]},
    )
    assert said["reason"] == "550 <***> unknown"
    assert said["of"] == ["postgresql://***@db:5432/hub"]


def test_a_failing_statement_is_told_without_its_values(database):
    def insert(connection):
        connection.execute(text("insert into contacts (reference, nobody) values (:age, :age)"), SOMEBODY)

    with pytest.raises(SQLAlchemyError) as caught:
        database.write(insert).result()
    said = told(caught.value)
    assert "insert into contacts" in said
    assert not {"Ada", "King"} & set(re.findall(r"\w+", said))


def test_what_aiokafka_tells_of_every_attempt_to_reach_a_broker_stays_silent(monkeypatch):
    """`KafkaLog` silences it, whether our log was configured before or after."""
    root, theirs = logging.getLogger(), logging.getLogger("aiokafka")
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(theirs, "level", logging.CRITICAL)
    configure_logging("info")
    assert theirs.level == logging.CRITICAL
