"""The shapes Salesforce sends changes in, as one: a record, what changed of it, when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

import hub

BOOKKEEPING: Final = frozenset(
    {"Id", "attributes", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"}
)
"""Fields that change with every other, and so say nothing."""

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONG: Final = 18
_MOST: Final = Decimal(10) ** 15  # no amount is larger; what says so is broken


def long_id(short: str) -> str:
    """The 18 characters of an id: the last three say which of the first fifteen are capitals.

    >>> long_id("001A0000006Vm9r")
    '001A0000006Vm9rIAC'
    """
    if len(short) == _LONG:
        return short
    fives = (short[n : n + 5] for n in (0, 5, 10))
    return short + "".join(_ALPHABET[sum(c.isupper() << n for n, c in enumerate(five))] for five in fives)


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time beyond the calendar") from None


def _zone(value: object) -> object:
    """`2020-10-22T21:03:23.000+0000`, as Salesforce writes it, with the colon that ISO 8601 wants."""
    return re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", value) if isinstance(value, str) else value


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$"), AfterValidator(long_id)]
Time = Annotated[AwareDatetime, BeforeValidator(_zone), AfterValidator(_utc)]
_TIME: Final[TypeAdapter[datetime]] = TypeAdapter(Time)
_ID: Final[TypeAdapter[str]] = TypeAdapter(Id)


class _Part(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)


class Header(_Part):
    """`ChangeEventHeader` of a change event; names in lower case, as Apex writes them, or not, as others do."""

    entityname: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")]
    changetype: Annotated[str, Field(pattern=r"^((GAP_)?(CREATE|UPDATE|DELETE|UNDELETE)|GAP_OVERFLOW)$")]
    recordids: Annotated[list[Id], Field(min_length=1)]
    changeorigin: str = ""
    committimestamp: Annotated[int, Field(ge=0, lt=253_402_300_800_000, description="milliseconds")]
    transactionkey: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{0,64}$")] = ""
    sequencenumber: Annotated[int, Field(ge=0, lt=2**31)] = 0
    changedfields: list[str] = []

    @model_validator(mode="before")
    @classmethod
    def _any_case(cls, header: object) -> object:
        """Names in lower case, and what is null left out."""
        return {k.lower(): v for k, v in header.items() if v is not None} if isinstance(header, dict) else header

    @property
    def client(self) -> str | None:
        """Whose call caused it: `com/salesforce/api/rest/61.0;client=<this>`."""
        return next((p[7:] for p in self.changeorigin.split(";") if p.startswith("client=")), None)


class Snapshot(_Part):
    """A record as an outbound message shows it: how it is now, not what changed."""

    notification: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{15,18}$")]
    sobject: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")]
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One record that changed.

    Attributes:
        entity: `Account`, `Contact`, ...
        how: `CREATE`, `UPDATE`, `DELETE`, `UNDELETE`, the same after `GAP_`, or `SNAPSHOT`.
        record: its id, 18 characters.
        at: when.
        mark: what tells this change from another of the same record; for ids.
        fields: what is known of the record.
        changed: the names of those fields that changed, as far as is known.
    """

    entity: str
    how: str
    record: str
    at: datetime
    mark: str
    fields: Mapping[str, Any]
    changed: frozenset[str]

    @property
    def moment(self) -> str:
        """When, for ids of what happens once at a time: to the second, as polls will see it; or the notification."""
        return self.mark if self.how == "SNAPSHOT" else self.at.strftime("%Y-%m-%dT%H:%M:%SZ")

    def text(self, field: str) -> str | None:
        """A field as text; None where it is empty or no text."""
        return text(self.fields.get(field))

    def inner(self, field: str, part: str) -> str | None:
        """A field of a related record, `Owner` and `Email` say."""
        related = self.fields.get(field)
        return text(related.get(part)) if isinstance(related, dict) else None

    def id(self, field: str) -> str | None:
        """The id in a field; None where it is empty.

        Raises:
            RejectedError: it is no id.
        """
        value = self.fields.get(field)
        if value in (None, ""):
            return None
        try:
            return _ID.validate_python(value)
        except ValidationError:
            raise hub.RejectedError(f"{field} of {self.entity} {self.record} is no id of Salesforce's") from None

    def flag(self, field: str) -> bool:
        """Whether a checkbox is ticked."""
        return self.fields.get(field) in (True, "true")

    def time(self, field: str) -> datetime | None:
        """A date and time; None where it is empty.

        Raises:
            RejectedError: it is no time.
        """
        value = self.text(field)
        try:
            return _TIME.validate_python(value) if value else None
        except ValidationError:
            raise hub.RejectedError(f"{field} of {self.entity} {self.record} is no time") from None

    def day(self, field: str) -> str | None:
        """A date, `2026-09-01`; None where it is empty or something else."""
        value = (self.text(field) or "")[:10]
        return value if re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII) else None

    def amount(self, field: str) -> Decimal | None:
        """Money; None where it is empty.

        Raises:
            RejectedError: it is no amount.
        """
        value = self.text(field)
        if value is None:
            return None
        try:
            found = Decimal(value)
        except InvalidOperation:
            raise hub.RejectedError(f"{field} {value[:40]!r} is no amount") from None
        if not found.is_finite() or abs(found) >= _MOST or (found and abs(found) < 1 / _MOST):
            raise hub.RejectedError(f"{field} {value[:40]!r} is no amount")
        return found


def changes(header: Header, fields: Mapping[str, Any]) -> Iterator[Change]:
    """A change event, one for each of the records that it merges.

    Raises:
        RejectedError: so many changed at once that Salesforce does not say which.
    """
    if header.changetype == "GAP_OVERFLOW":
        raise hub.RejectedError(f"too many records changed at once to be named: read every {header.entityname} again")
    at = _EPOCH + timedelta(milliseconds=header.committimestamp)
    mark = f"{header.transactionkey}-{header.sequencenumber}" if header.transactionkey else str(header.committimestamp)
    told = {name for name in header.changedfields if not name.startswith("0x")}  # a bitmap nobody has decoded
    changed = frozenset(told or fields) - BOOKKEEPING
    for record in dict.fromkeys(header.recordids):
        yield Change(header.entityname, header.changetype, record, at, mark, fields, changed)


def snapshot(found: Snapshot, received_at: datetime) -> Change:
    """An outbound message's record; its time is the record's own stamp, if that is among the fields it was given."""
    fields = found.fields
    stamped = fields.get("SystemModstamp") or fields.get("LastModifiedDate")
    at = _TIME.validate_python(stamped) if stamped else received_at
    record = _ID.validate_python(fields.get("Id"))
    return Change(found.sobject, "SNAPSHOT", record, at, found.notification, fields, frozenset(fields) - BOOKKEEPING)


def text(value: object) -> str | None:
    """Text or a number as text, without NUL, which PostgreSQL does not take."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).replace("\0", "").strip() or None


def domain(website: str | None) -> str | None:
    """The host of a website, however it was typed in.

    >>> domain("https://www.Northwind.example/about"), domain("acme.example"), domain("none yet")
    ('northwind.example', 'acme.example', None)
    """
    try:
        host = urlsplit(website if "//" in (website or "") else f"//{website}").hostname if website else None
    except ValueError:
        return None
    host = (str(host) if host else "").removeprefix("www.").rstrip(".")
    return host if "." in host and re.fullmatch(r"[^\s/\\@]{3,253}", host) else None
