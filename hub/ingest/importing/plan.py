"""The map of an import: which columns mean what. YAML in, validated data out.

    connection: shop                    # ids and references begin with it
    zone: Europe/London                 # of times that name none
    reject:
      - when: {Customer: {empty: true}}
        reason: no customer
    events:
      - when: {Invoice: {startswith: C}}
        kind: refund.issued
        account: "customer:{Customer}"
        occurred_at: {column: Date, format: "%d/%m/%Y %H:%M"}
        amount: {column: Price, times: Quantity, absolute: true}
        currency: GBP
        properties: {product: "{Description}"}

Every text is a template: `{Customer}` is that column's cell, `{Customer|int}` the same as a whole number (`17850.0` is
`17850`), `|lower` and `|upper` change its case; `{@line}` and `{@hash}` are the row's own line number and content.
Every entry of `events` whose `when` holds makes an event of the row; a row for which none does is rejected.
"""

from __future__ import annotations

import codecs
import hashlib
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from hub.sdk.errors import ConfigError

_WIDE: Final = ("utf-16", "utf-32", "utf_16", "utf_32")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write it as in Europe/London") from None
    return name


def _encoding(name: str) -> str:
    try:
        found = codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"{name!r} is no encoding Python knows") from None
    if found.startswith(_WIDE):
        raise ValueError("UTF-16 and UTF-32 are not read; save the file as UTF-8")
    return found


def _column(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _condition(value: object) -> object:
    return value if isinstance(value, dict | Condition) else {"equals": value}


class Condition(_Data):
    """What a cell must be; all that is given must hold. A bare value in its place means `equals`."""

    equals: str | int | float | bool | list[str | int | float | bool] | None = None
    startswith: str | list[str] | None = None
    endswith: str | list[str] | None = None
    contains: str | None = None
    matches: str | None = Field(None, description="a regular expression that the whole cell must match")
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    empty: bool | None = None
    unless: Condition | None = Field(None, description="and this must not hold")

    @field_validator("unless", mode="before")
    @classmethod
    def _bare(cls, value: object) -> object:
        return value if value is None else _condition(value)


When = dict[str, Annotated[Condition, BeforeValidator(_condition)]]


class Number(_Data):
    """A number made of one column, or of two multiplied. A bare text in its place is the column."""

    column: str
    times: str | None = Field(None, description="another column to multiply with")
    divide: float | None = Field(None, gt=0, description="100 where the file counts cents")
    absolute: bool = False


class Moment(_Data):
    """A time. A bare text in its place is the column of an ISO 8601 time."""

    column: str
    format: str = Field("iso", description="`iso`, `unix` (seconds), `unix_ms`, or as strptime reads it")
    zone: Annotated[str, AfterValidator(_zone)] | None = Field(None, description="of times that name none")


class Rejection(_Data):
    """Rows that are not wanted, and why."""

    when: When = Field(min_length=1)
    reason: str = Field(min_length=1)


class EventRule(_Data):
    """An event that a row makes."""

    when: When = Field(default_factory=dict)
    kind: str = Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")
    id: str | None = Field(
        None,
        description="what makes it the same event in another file; by default the row's content and line number: the "
        "same file again gives duplicates, and equal lines of one file stay two events",
    )
    account: str
    occurred_at: Annotated[Moment, BeforeValidator(_column)]
    contact: str | None = None
    entity: str | None = None
    amount: Annotated[Number, BeforeValidator(_column)] | None = None
    currency: str | None = None
    value: Annotated[Number, BeforeValidator(_column)] | None = None
    text: str | None = None
    properties: dict[str, Number | str | bool | int | float] = Field(default_factory=dict)


class Csv(_Data):
    """How cells are told apart."""

    delimiter: str = Field(",", min_length=1, max_length=1)
    quote: str = Field('"', min_length=1, max_length=1)
    columns: list[str] | None = Field(None, description="names of the columns of a file that has no line of them")


class Numbers(_Data):
    """How numbers are written."""

    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""


class Plan(_Data):
    """A whole map."""

    connection: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")
    format: Literal["csv", "jsonl"] = "csv"
    encoding: Annotated[str, AfterValidator(_encoding)] = "utf-8"
    csv: Csv = Csv()
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    numbers: Numbers = Numbers()
    reject: list[Rejection] = Field(default_factory=list)
    events: list[EventRule] = Field(min_length=1)

    @property
    def digest(self) -> str:
        """Changes when anything about the map does."""
        return hashlib.blake2b(self.model_dump_json().encode(), digest_size=8).hexdigest()


def load_map(path: Path) -> Plan:
    """Read a map.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong; names the line and the key.
    """
    try:
        text = path.read_text("utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        written = yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{where}: not YAML: {getattr(error, 'problem', None) or error}") from None
    try:
        return Plan.model_validate(written)
    except ValidationError as error:
        lines = [
            f"{path}:{_line(node, one['loc'])}: {'.'.join(map(str, one['loc'])) or 'the map'}: {one['msg']}"
            for one in error.errors()
        ]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from None


def _line(node: Any, where: tuple[int | str, ...]) -> int:
    """The line of the innermost part of the YAML that `where` leads to."""
    line: int = node.start_mark.line if node is not None else 0
    for step in where:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == step), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
        else:
            break
    return line + 1
