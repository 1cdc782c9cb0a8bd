"""What a call to Segment's API says, in our words."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import hub
from plugins.segment.moments import occurred

Call = Mapping[str, Any]
NOTHING: Final[Call] = {}
LONGEST_KEY: Final = 180
LONGEST_TEXT: Final = 500
LONGEST_NUMBER: Final = 40
LONGEST_WORD: Final = 40
MOST_MONEY: Final = Decimal(10) ** 12
PROFILE: Final = ("plan", "status", "owner", "owner_email", "renewal_on")
"""Traits of a group that mean with us what they mean there."""


class Calls:
    """What one connection makes of calls. Pure.

    Args:
        connection: what ids and references begin with.
        sessions: names of events, in lower case, that say somebody came to the product.
        grouped: whether the group's id is the customer's key in every system.
    """

    def __init__(self, connection: str, sessions: frozenset[str], *, grouped: bool) -> None:
        self._name = connection
        self._sessions = sessions
        self._grouped = grouped
        self._says: Mapping[str, Callable[[Call, dict[str, hub.Scalar]], dict[str, Any]]] = {
            "track": self._track,
            "identify": _identify,
            "group": _group,
            "page": _page,
            "screen": _screen,
            "alias": _alias,
            "delete": _delete,
        }

    def say(self, kind: str, call: Call, raw: hub.Raw) -> hub.Event:
        """The one event that a call is.

        Raises:
            RejectedError: it says neither who nor which group, or when is not a time.
        """
        at = occurred(call, raw)
        user, anonymous, group = _key(call.get("userId")), _key(call.get("anonymousId")), _group_of(call)
        contact = f"{self._name}:user:{user}" if user else None
        if contact is None and anonymous:
            contact = f"{self._name}:anonymous:{anonymous}"
        account = f"{self._name}:group:{group}" if group else contact
        if account is None:
            raise hub.RejectedError("neither userId nor anonymousId nor groupId")
        facts: dict[str, hub.Scalar] = {}
        if group and self._grouped:
            facts["external_id"] = group
        if user and anonymous and kind == "identify":
            facts["anonymous"] = f"{self._name}:anonymous:{anonymous}"
        say = self._says.get(kind)
        parts = say(call, facts) if say else {"kind": _own_kind(kind)}
        return hub.Event(
            id=f"{self._name}:{_key(call.get('messageId')) or _digest(kind, call)}",
            account=account,
            contact=contact,
            occurred_at=at,
            properties=facts,
            **parts,
        )

    def _track(self, call: Call, facts: dict[str, hub.Scalar]) -> dict[str, Any]:
        name = _text(call.get("event")) or "unnamed"
        facts["event"] = name
        told = _object(call.get("properties"))
        kind = "session.started" if name.casefold() in self._sessions else "usage.tracked"
        return {"kind": kind, "value": _number(told.get("value")), **_revenue(told)}


def _identify(call: Call, facts: dict[str, hub.Scalar]) -> dict[str, Any]:
    traits = _object(call.get("traits"))
    name = _text(traits.get("name"))
    if not name:
        name = " ".join(filter(None, (_text(traits.get("firstName")), _text(traits.get("lastName")))))
    facts |= {k: v for k, v in (("email", _text(traits.get("email"))), ("contact_name", name)) if v}
    return {"kind": "contact.identified"}


def _group(call: Call, facts: dict[str, hub.Scalar]) -> dict[str, Any]:
    traits = _object(call.get("traits"))
    domain = _domain(_text(traits.get("domain")) or _text(traits.get("website")))
    told = (("name", _text(traits.get("name"))), ("domain", domain), *((n, _text(traits.get(n))) for n in PROFILE))
    facts |= {name: value for name, value in told if value}
    return {"kind": "account.updated"}


def _page(call: Call, facts: dict[str, hub.Scalar]) -> dict[str, Any]:
    return _seen("page", call, facts)


def _screen(call: Call, facts: dict[str, hub.Scalar]) -> dict[str, Any]:
    return _seen("screen", call, facts)


def _seen(what: str, call: Call, facts: dict[str, hub.Scalar]) -> dict[str, Any]:
    facts["event"] = what
    if name := _text(call.get("name")) or _text(_object(call.get("properties")).get("name")):
        facts[what] = name
    return {"kind": "usage.tracked"}


def _alias(call: Call, facts: dict[str, hub.Scalar]) -> dict[str, Any]:
    if previous := _key(call.get("previousId")):
        facts["previous_id"] = previous
    return {"kind": "contact.identified"}


def _delete(_call: Call, _facts: dict[str, hub.Scalar]) -> dict[str, Any]:
    """Somebody asked to be forgotten; Segment forwards it."""
    return {"kind": "contact.left"}


def _group_of(call: Call) -> str | None:
    context = call.get("context")
    return _key(call.get("groupId")) or (_key(context.get("groupId")) if isinstance(context, dict) else None)


def _key(value: object) -> str | None:
    """An id as a text; clients also send numbers. None if there is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**LONGEST_KEY else "9" * (LONGEST_KEY + 1)
    if not isinstance(value, str):
        return None
    key = value.replace("\0", "").strip()
    if len(key) > LONGEST_KEY:
        raise hub.RejectedError(f"an id of {len(key)} characters; we take {LONGEST_KEY}")
    return key or None


def _text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        value = str(value)
    return value.replace("\0", "").strip()[:LONGEST_TEXT] if isinstance(value, str) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _object(value: object) -> Call:
    return value if isinstance(value, dict) else NOTHING


def _revenue(told: Call) -> dict[str, Any]:
    """Segment's reserved property `revenue`, dollars unless `currency` says otherwise."""
    revenue = told.get("revenue")
    if revenue is None or isinstance(revenue, bool) or not isinstance(revenue, str | int | float):
        return {}
    currency = told.get("currency") or "USD"
    written = str(revenue)
    try:
        amount = Decimal(written) if len(written) <= LONGEST_NUMBER else Decimal("NaN")
    except InvalidOperation:
        return {}
    known = isinstance(currency, str) and re.fullmatch(r"[A-Za-z]{3}", currency)
    if not known or not amount.is_finite() or abs(amount) > MOST_MONEY:
        return {}
    return {"amount": amount, "currency": currency.upper()}


def _domain(written: str | None) -> str | None:
    """The host of a web address, which may be written without its scheme.

    >>> _domain("https://www.Northwind.example/about?x=1"), _domain("northwind.example"), _domain("n/a")
    ('northwind.example', 'northwind.example', None)
    """
    if not written:
        return None
    host = written.lower().partition("://")[2] or written.lower()
    host = re.split(r"[/?#:]", host, maxsplit=1)[0].removeprefix("www.")
    return host if re.fullmatch(r"(?:[a-z0-9-]+\.)+[a-z]{2,}", host) else None


def _own_kind(kind: str) -> str:
    word = re.sub(r"[^a-z0-9]+", "_", kind.lower()).strip("_")
    return f"segment.{word if word[:1].isalpha() else f'type_{word}'}"[: len("segment.") + LONGEST_WORD]


def _digest(kind: str, call: Call) -> str:
    """An id for a call that has none: the same for the same call sent again."""
    kept = {name: value for name, value in call.items() if name not in ("sentAt", "writeKey", "receivedAt")}
    told = json.dumps([kind, kept], sort_keys=True).encode()
    return "content:" + hashlib.blake2b(told, digest_size=16).hexdigest()
