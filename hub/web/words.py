"""Numbers and times as people say them. Pure; every function returns plain text, never markup."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final

from hub.sdk.health import Band

MINUTE: Final = 60.0
HOUR: Final = 3_600.0
DAY: Final = 86_400.0
UNKNOWN: Final = "–"

BAND_WORDS: Final[Mapping[Band, str]] = {
    "thriving": "Thriving",
    "steady": "Steady",
    "watch": "Watch",
    "at_risk": "At risk",
    "left": "Left",
}
_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "AUD": "A$", "CAD": "C$"}


def whole(value: float | None) -> str:
    """A health or a count, rounded half up, with thin groups.

    >>> whole(61.5), whole(12345), whole(None)
    ('62', '12,345', '–')
    """
    return UNKNOWN if value is None or not math.isfinite(value) else f"{math.floor(value + 0.5):,}"


def signed(points: float | None, places: int = 0) -> str:
    """A change, with a real minus sign; nothing to speak of is 0.

    >>> signed(-14.2), signed(6.0), signed(0.2), signed(-0.26, 1)
    ('−14', '+6', '0', '−0.3')
    """
    if points is None or not math.isfinite(points):
        return UNKNOWN
    text = f"{abs(points):,.{places}f}"
    if not text.strip("0.,"):
        return "0"
    return ("−" if points < 0 else "+") + text


def share(value: float | None) -> str:
    """A probability in percent.

    >>> share(0.342), share(0.0004), share(0.043), share(None)
    ('34 %', '< 0.1 %', '4.3 %', '–')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    percent = min(max(value * 100, 0.0), 100.0)
    if 0 < percent < 0.1:  # noqa: PLR2004 - a tenth of a percent
        return "< 0.1 %"
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.1f} %"  # noqa: PLR2004 - two digits do


def figure(value: float | None, places: int = 2) -> str:
    """A number that has no unit, to so many digits.

    >>> figure(0.7381), figure(0.5, 3), figure(None)
    ('0.74', '0.500', '–')
    """
    return UNKNOWN if value is None or not math.isfinite(value) else f"{value:.{places}f}"


def month(then: float) -> str:
    """The month something happened in.

    >>> month(0)
    'January 1970'
    """
    return f"{moment(then):%B %Y}"


def money(value: float | None, currency: str | None, *, short: bool = False) -> str:
    """An amount with its currency; whole units, since these are monthly revenues.

    >>> money(41200, "EUR"), money(41200, "EUR", short=True), money(999.4, "CHF"), money(-1_250_000, "USD", short=True)
    ('€41,200', '€41.2k', 'CHF 999', '−$1.25M')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    sign = "−" if value < 0 else ""
    unit = _SYMBOLS.get(currency or "", f"{currency} " if currency else "")
    amount = abs(value)
    if short and amount >= 10_000:  # noqa: PLR2004 - below that every digit is read
        scale, letter = (1e6, "M") if amount >= 999_500 else (1e3, "k")  # noqa: PLR2004 - where k would show 1,000
        return f"{sign}{unit}{float(f'{amount / scale:.3g}'):g}{letter}"
    return f"{sign}{unit}{amount:,.0f}"


def reading(value: float, unit: str = "") -> str:
    """A measure's value with its unit; shares come as fractions.

    >>> reading(3.0, "people"), reading(0.256, "%"), reading(1234.5), reading(4200, "EUR")
    ('3 people', '26 %', '1,234', '€4,200')
    """
    if unit == "%":
        return f"{value * 100:.0f} %"
    if unit.isupper() and len(unit) == 3:  # noqa: PLR2004 - a currency's code
        return money(value, unit)
    if abs(value) >= 10 or value == round(value):  # noqa: PLR2004 - two digits are enough
        return f"{value:,.0f} {unit}".rstrip()
    return f"{value:.1f} {unit}".rstrip().replace("0.0", "0", 1)


def fact(value: object, name: str = "") -> str:
    """A value of a thing's state; what is named as a time and looks like one is shown as a day.

    >>> fact(1767225600.0, "opened_at"), fact(4200.0, "amount"), fact(True), fact("open")
    ('2026-01-01', '4200', 'yes', 'open')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | int) and name.endswith("_at") and value > DAY:
        return f"{moment(value):%Y-%m-%d}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def measured(label: str, value: float | None, unit: str = "") -> str:
    """What a measure says, as a sentence.

    >>> measured("{n} urgent tickets open", 3.0), measured("use at {n} % of its usual pace", 0.824, "%")
    ('3 urgent tickets open', 'use at 82 % of its usual pace')
    >>> measured("{n} urgent tickets open", None), measured("Sign-ins", 1234.0), measured("Rating", 4.5, "of 5")
    ('urgent tickets open: not known yet', 'Sign-ins: 1,234', 'Rating: 4.5 of 5')
    """
    if value is None:
        before, _, after = label.partition("{n}")
        name = before if before.rstrip().endswith(":") else f"{before} {after}"
        return f"{' '.join(name.split()).rstrip(':')}: not known yet"
    if "{n}" in label:
        return label.replace("{n}", reading(value * 100 if unit == "%" else value))
    return f"{label}: {reading(value, unit)}"


def ago(then: float | None, now: float) -> str:
    """How long ago, or how soon, in a word or two.

    >>> ago(100, 130), ago(0, 240), ago(0, 9000), ago(0, 86400 * 3.2), ago(0, 86400 * 70), ago(500, 0), ago(None, 0)
    ('just now', '4 min ago', '2 h ago', '3 days ago', '10 weeks ago', 'in 8 min', 'never')
    """
    if then is None or not math.isfinite(then):
        return "never"
    past = now - then
    if abs(past) < 45:  # noqa: PLR2004 - under a minute is now
        return "just now"
    text = span(abs(past))
    return f"{text} ago" if past > 0 else f"in {text}"


def span(seconds: float) -> str:
    """A length of time, roughly.

    >>> span(12), span(3599), span(90000), span(86400 * 400)
    ('12 s', '60 min', '25 h', '13 months')
    """
    for unit, name, most in ((1.0, "s", 60), (MINUTE, "min", 90 * MINUTE), (HOUR, "h", 36 * HOUR)):
        if seconds < most:
            return f"{max(1, round(seconds / unit))} {name}"
    for unit, name, most in ((DAY, "day", 21 * DAY), (7 * DAY, "week", 90 * DAY), (30.4 * DAY, "month", 900 * DAY)):
        if seconds < most:
            return plural(max(1, round(seconds / unit)), name)
    return plural(round(seconds / (365.25 * DAY)), "year")


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """A count with its noun.

    >>> plural(1, "account"), plural(1200, "account"), plural(2, "reply", "replies")
    ('1 account', '1,200 accounts', '2 replies')
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def ranges(numbers: Sequence[int]) -> str:
    """Ascending whole numbers, those in a row together.

    >>> ranges([0, 1, 2, 5, 7, 8]), ranges([])
    ('0–2, 5, 7–8', '')
    """
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1][1:] = [number]
        else:
            found.append([number])
    return ", ".join("–".join(map(str, run)) for run in found)


def exact(then: float | None) -> str:
    """The moment itself, for those who hover.

    >>> exact(0)
    '1970-01-01 00:00:00 UTC'
    """
    return "never" if then is None else f"{moment(then):%Y-%m-%d %H:%M:%S} UTC"


def iso(then: float | None) -> str:
    """For machines: the `datetime` of a `<time>`."""
    return "" if then is None else moment(then).isoformat(timespec="seconds")


def day(then: float, now: float) -> str:
    """The day something happened on, for headings.

    >>> day(86400 * 20000, 86400 * 20000 + 60), day(86400 * 19999, 86400 * 20000), day(86400 * 19000, 86400 * 20000)
    ('Today', 'Yesterday', 'Sat 8 Jan 2022')
    """
    when, today = moment(then).date(), moment(now).date()
    match (today - when).days:
        case 0:
            return "Today"
        case 1:
            return "Yesterday"
        case _:
            return f"{when:%a} {when.day} {when:%b}" + (f" {when.year}" if when.year != today.year else "")


def clock(then: float) -> str:
    """The time of day, UTC."""
    return f"{moment(then):%H:%M}"


def due(iso_date: str | None, now: float) -> str:
    """How far away a date is.

    >>> due("2026-01-20", 1767225600), due("2025-12-30", 1767225600), due("soon", 0), due(None, 0)
    ('in 19 days', '2 days ago', 'soon', '–')
    """
    if not iso_date:
        return UNKNOWN
    try:
        days = (date.fromisoformat(iso_date[:10]) - moment(now).date()).days
    except ValueError:
        return iso_date
    if days == 0:
        return "today"
    return f"in {span(days * DAY)}" if days > 0 else f"{span(-days * DAY)} ago"


def since(then: float, now: float) -> str:
    """From when on, as in `−9 since Monday`.

    >>> since(86400 * 20000, 86400 * 20001), since(86400 * 19997, 86400 * 20000), since(86400 * 19900, 86400 * 20000)
    ('yesterday', 'Tuesday', '26 Jun')
    """
    when, today = moment(then).date(), moment(now).date()
    days = (today - when).days
    if days <= 0:
        return "today"
    if days == 1:
        return "yesterday"
    if days < 7:  # noqa: PLR2004 - a week has seven days
        return f"{when:%A}"
    return f"{when.day} {when:%b}" + (f" {when.year}" if when.year != today.year else "")


def kind(name: str) -> str:
    """A kind of event in words; also of a plugin that we do not know.

    >>> kind("ticket.opened"), kind("csat.rated")
    ('Ticket opened', 'CSAT rated')
    """
    text = name.replace(".", " ").replace("_", " ").capitalize()
    first, _, rest = text.partition(" ")
    return f"{first.upper()} {rest}" if first.lower() in ("csat", "nps", "ces") else text


def moment(then: float) -> datetime:
    """An aware datetime, within what datetimes can say."""
    return datetime.fromtimestamp(min(max(then, 0.0), 253_370_764_800.0), UTC)
