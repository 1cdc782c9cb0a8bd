"""Moments as people write them: `monday`, `yesterday`, `7d`, `2026-03-01`, `2026-03-01T10:00Z`. UTC. Pure."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Final

DAY: Final = 86_400.0
_UNITS: Final = {"m": 60.0, "h": 3_600.0, "d": DAY, "w": 7 * DAY}
_LONG_AGO: Final = 36_500.0  # days
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_AGO: Final = re.compile(r"(\d{1,7}(?:\.\d{1,6})?)\s*([mhdw])(?:\s+ago)?")
_DAY_ONLY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def moment(said: str, now: float, *, ends: bool = False) -> float:
    """Unix seconds of a moment.

    A day alone is its first moment, or with `ends` its last; a weekday is the last one there was, today included.

    >>> friday = datetime(2026, 3, 6, 12, tzinfo=UTC).timestamp()
    >>> def shown(*said, **how): return f"{datetime.fromtimestamp(moment(*said, friday, **how), UTC):%a %d %H:%M}"
    >>> shown("Monday"), shown("7d"), shown("2026-03-01"), shown("yesterday"), shown("2026-03-01T10:00+01:00")
    ('Mon 02 00:00', 'Fri 27 12:00', 'Sun 01 00:00', 'Thu 05 00:00', 'Sun 01 09:00')
    >>> shown("yesterday", ends=True), shown("today"), shown("today", ends=True), shown("now"), shown("friday")
    ('Fri 06 00:00', 'Fri 06 00:00', 'Fri 06 12:00', 'Fri 06 12:00', 'Fri 06 00:00')

    Raises:
        ValueError: it is none; the message says what one looks like.
    """
    word = said.strip().lower()
    today = math.floor(now / DAY) * DAY
    if word == "now":
        return now
    if found := _AGO.fullmatch(word):
        back = float(found[1]) * _UNITS[found[2]]
        if back > _LONG_AGO * DAY:
            raise ValueError(f"{said[:40]!r} is longer ago than anything that is kept")
        return now - back
    if (day := _day(word, today)) is not None:
        return min(day + DAY, now) if ends else day
    try:
        exact = datetime.fromisoformat(said.strip())
    except ValueError:
        raise ValueError(
            f"{said[:40]!r} is no moment; write monday, yesterday, 7d, 2026-03-01 or 2026-03-01T10:00Z"
        ) from None
    if not 1970 <= exact.year <= 9_000:  # noqa: PLR2004 - what unix seconds and datetimes both can say
        raise ValueError(f"{said[:40]!r} is no moment that anything is kept of")
    return (exact if exact.tzinfo else exact.replace(tzinfo=UTC)).timestamp()


def period(since: str, until: str, now: float) -> tuple[float, float]:
    """Both ends, checked; an end in the future is now.

    Raises:
        ValueError: one is no moment, it ends before it begins, or has not begun.
    """
    begins, ends = moment(since, now), min(moment(until, now, ends=True), now)
    if begins >= now:
        raise ValueError(f"{since[:40]!r} has not begun yet")
    if ends <= begins:
        raise ValueError(f"{until[:40]!r} is not after {since[:40]!r}: a period ends after it begins")
    return begins, ends


def _day(word: str, today: float) -> float | None:
    """The first moment of a named day."""
    if word in ("today", "yesterday"):
        return today - (DAY if word == "yesterday" else 0.0)
    if word in _WEEKDAYS:
        here = datetime.fromtimestamp(today, UTC)
        return (here - timedelta(days=(here.weekday() - _WEEKDAYS.index(word)) % 7)).timestamp()
    if _DAY_ONLY.fullmatch(word):
        try:
            day = datetime.fromisoformat(word).replace(tzinfo=UTC)
        except ValueError:
            return None
        return day.timestamp() if 1970 <= day.year <= 9_000 else None  # noqa: PLR2004 - as below
    return None
