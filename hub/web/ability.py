"""Why a process cannot do its work now, as far as that is the fault of what it stands on. Quotes no address."""

from __future__ import annotations

from concurrent.futures import TimeoutError as TooLateError
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from hub.sdk.errors import RetryLaterError
from hub.store.database import Database
from hub.streams.behind import Ends
from hub.streams.log import LogError
from hub.streams.topics import EVENTS

_PATIENCE: Final = 2.0  # seconds the database's writer has to answer


def database_troubles(database: Database) -> list[str]:
    """Whether the database answers and its writer lives; nothing where both do."""
    try:
        with database.read() as connection:
            connection.execute(text("select 1"))
        database.write(lambda _: None).result(_PATIENCE)
    except TooLateError:
        return ["the database's writer does not answer"]
    except (SQLAlchemyError, RetryLaterError) as error:
        return [f"the database does not answer: {type(error).__name__}"]
    return []


def log_troubles(log: Ends) -> list[str]:
    """Whether the log can be asked how far it reaches; nothing where it can."""
    try:
        log.ends(EVENTS.name)
    except LogError:
        return ["the log does not answer"]
    return []
