"""What pages and API have in common when they ask why: who answers, what time it is, and how a question is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection

from hub.store.questions.paging import CursorError
from hub.web.page import Site
from hub.web.refusal import RefusedError
from scoring.explaining.answers import Answers, NoHealthError
from scoring.explaining.asked import pairs, where
from scoring.explaining.periods import period
from scoring.explaining.what_if import AskedWrongError

SINCE: Final = "7d"


def answers(site: Site) -> Answers:
    """Who answers.

    Raises:
        RefusedError: this process shows pages, and was not told how health is made.
    """
    if site.context.answers is None:
        raise RefusedError(503, "This process does not know how health is made; ask the one that scores.")
    return site.context.answers


@contextmanager
def reading(site: Site) -> Iterator[Connection]:
    """A look into the database, which says no in words to what cannot be asked."""
    try:
        with site.context.database.read() as connection:
            yield connection
    except CursorError as error:
        raise RefusedError(400, f"{error}; start again without it", code="bad_cursor") from None
    except AskedWrongError as error:
        raise RefusedError(400, _sentence(str(error)), code="bad_question") from None
    except NoHealthError as error:
        raise RefusedError(409, _sentence(str(error)), code="no_health", title="No health yet") from None


def ends(since: str, until: str, now: float) -> tuple[float, float]:
    """Both ends of a period.

    Raises:
        RefusedError: they are none.
    """
    try:
        return period(since or SINCE, until or "now", now)
    except ValueError as error:
        raise RefusedError(400, _sentence(str(error)), code="bad_period") from None


def segment(connection: Connection, wanted: Sequence[str]) -> list[str] | None:
    """Accounts whose profile says so; None: everybody was asked for."""
    return where(connection, pairs(wanted, "where")) if wanted else None


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
