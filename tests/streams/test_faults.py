"""Whose fault it was decides whether a record is buried."""

from psycopg.errors import InsufficientPrivilege, UndefinedColumn
from sqlalchemy.exc import ProgrammingError

from hub.streams.testing import run_until_idle
from tests.streams.kit import Keeper, numbers


def test_a_database_whose_disk_is_read_only_is_waited_for_and_no_record_blamed(place):
    """PostgreSQL says "insufficient privilege" of it, which SQLAlchemy takes for an error in a statement."""
    room, errors = Keeper(), [InsufficientPrivilege("could not write to log file: Read-only file system")]
    room.before = failing(errors)
    place.append(*numbers(0, 1))
    run_until_idle(place.streams(room))
    assert room.applied == numbers(0, 1)
    assert place.offsets(room.name)["dead_lettered"] == 0


def test_a_record_whose_statement_is_wrong_is_a_dead_letter(place):
    room, errors = Keeper(), [UndefinedColumn("there is no such column")]
    room.before = failing(errors)
    place.append(*numbers(0, 1))
    run_until_idle(place.streams(room))
    assert room.applied == []
    assert place.offsets(room.name)["dead_lettered"] == 1


def failing(errors):
    """What is done before a step: raises each error once."""

    def fail(_connection, _batch):
        if errors:
            raise ProgrammingError("COMMIT", None, errors.pop())

    return fail
