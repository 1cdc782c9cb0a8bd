"""Whose fault it was: the database's, which passes, or a record's, which stays."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.exc import DataError as BadDataError
from sqlalchemy.exc import DBAPIError, IntegrityError, NotSupportedError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from hub.sdk.errors import RetryLaterError

_OF_THE_RECORD: Final = (IntegrityError, ProgrammingError, BadDataError, NotSupportedError)
_DENIED: Final = "42501"  # insufficient privilege: PostgreSQL's word for a disk that has become read-only, too
_SAID: Final = 500  # characters of a reason


def may_pass(error: BaseException) -> bool:
    """Whether trying the same again makes sense: the database is at fault, not a record."""
    if isinstance(error, DBAPIError):
        return not isinstance(error, _OF_THE_RECORD) or getattr(error.orig, "sqlstate", None) == _DENIED
    return isinstance(error, RetryLaterError | NoConnectionError | MemoryError)


def say(error: Exception) -> str:
    """The reason in words; of the database's, the driver's, without the statement and its values."""
    said: Any = error.orig if isinstance(error, DBAPIError) else error
    return f"{type(said).__name__}: {said}"[:_SAID]
