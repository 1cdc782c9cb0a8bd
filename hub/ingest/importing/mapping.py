"""A map, made ready to run: rows in, events out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.ingest.importing.cells import Cells, Figure, Test, Text, columns_of, holds, moment, number, text
from hub.ingest.importing.plan import EventRule, Number, Plan, When
from hub.sdk.errors import ConfigError, RejectedError
from hub.sdk.events import Event, Scalar

_OURS: Final = frozenset({"@line", "@hash"})
NO_RULE: Final = "no rule of the map applies"


class Mapping:
    """Turns rows into events.

    Args:
        plan: what the columns mean.
        columns: those the file has; None where each row has its own.

    Raises:
        ConfigError: the map names a column the file does not have, or a filter there is not.
    """

    def __init__(self, plan: Plan, columns: Sequence[str] | None) -> None:
        if columns is not None:
            _refuse_missing(plan, columns)
        self._rejections = [(holds(one.when, plan.numbers), one.reason) for one in plan.reject]
        several = len(plan.events) > 1
        self._makers = [_Maker(plan, rule, index if several else None) for index, rule in enumerate(plan.events)]

    def events(self, cells: Cells) -> list[Event]:
        """The events of a row, at least one.

        Raises:
            RejectedError: the map rejects the row, or a cell is not what the map says.
        """
        for test, reason in self._rejections:
            if test(cells):
                raise RejectedError(reason)
        made = [maker.make(cells) for maker in self._makers if maker.when(cells)]
        if not made:
            raise RejectedError(NO_RULE)
        return made


@dataclass(slots=True, init=False)
class _Maker:
    """One rule of the map as functions."""

    when: Test
    kind: str
    id: Text
    account: Text
    occurred_at: Callable[[Cells], datetime]
    contact: Text
    entity: Text
    currency: Text
    text: Text
    amount: Figure | None
    value: Figure | None
    properties: list[tuple[str, Callable[[Cells], Scalar]]]

    def __init__(self, plan: Plan, rule: EventRule, index: int | None) -> None:
        here = f"{plan.connection}:"
        self.when = holds(rule.when, plan.numbers)
        self.kind = rule.kind
        own = "row:{@hash}:{@line}" if index is None else f"row:{{@hash}}:{{@line}}:{index}"
        self.id = text(here + (rule.id or own))
        self.account = text(here + rule.account)
        self.occurred_at = moment(rule.occurred_at, plan.zone)
        self.contact = _optional(here, rule.contact)
        self.entity = _optional(here, rule.entity)
        self.currency = _optional("", rule.currency)
        self.text = _optional("", rule.text)
        self.amount = number(rule.amount, plan.numbers) if rule.amount else None
        self.value = number(rule.value, plan.numbers) if rule.value else None
        self.properties = [(name, _property(spec, plan)) for name, spec in rule.properties.items()]

    def make(self, cells: Cells) -> Event:
        found = self.value(cells) if self.value else None
        return Event(
            id=_needed("id", self.id(cells)),
            kind=self.kind,
            account=_needed("account", self.account(cells)),
            occurred_at=self.occurred_at(cells),
            amount=self.amount(cells) if self.amount else None,
            value=None if found is None else float(found),
            properties={name: one for name, read in self.properties if (one := read(cells)) is not None},
            contact=self.contact(cells),
            entity=self.entity(cells),
            currency=self.currency(cells),
            text=self.text(cells),
        )


def _optional(prefix: str, template: str | None) -> Text:
    return _nothing if template is None else text(prefix + template)


def _nothing(_cells: Cells) -> None:
    """What the map leaves out."""


def _property(spec: Number | Scalar, plan: Plan) -> Callable[[Cells], Scalar]:
    match spec:
        case Number():
            figure = number(spec, plan.numbers)
            return lambda cells: None if (found := figure(cells)) is None else float(found)
        case str():
            return text(spec)
        case constant:
            return lambda _cells: constant


def _needed(name: str, value: str | None) -> str:
    if value is None:
        raise RejectedError(f"{name}: a column it is made of is empty")
    return value


def _refuse_missing(plan: Plan, columns: Sequence[str]) -> None:
    known = _OURS.union(columns)
    for where, column in _used(plan):
        if column not in known:
            raise ConfigError(f"{where}: the file has no column {column!r}; it has {', '.join(columns)}")


def _used(plan: Plan) -> Iterator[tuple[str, str]]:
    """`(key of the map, column)` for all the columns a map reads."""
    for at, rejection in enumerate(plan.reject):
        yield from _tested(f"reject.{at}", rejection.when)
    for at, rule in enumerate(plan.events):
        here = f"events.{at}"
        yield from _tested(here, rule.when)
        yield f"{here}.occurred_at", rule.occurred_at.column
        templates = {
            "id": rule.id,
            "account": rule.account,
            "contact": rule.contact,
            "entity": rule.entity,
            "currency": rule.currency,
            "text": rule.text,
        }
        specs: dict[str, object] = {"amount": rule.amount, "value": rule.value}
        specs |= {f"properties.{name}": spec for name, spec in rule.properties.items()}
        for name, spec in (templates | specs).items():
            if isinstance(spec, str):
                yield from ((f"{here}.{name}", column) for column in columns_of(spec))
            elif isinstance(spec, Number):
                yield from ((f"{here}.{name}", column) for column in (spec.column, spec.times) if column)


def _tested(here: str, when: When) -> Iterator[tuple[str, str]]:
    return ((f"{here}.when", column) for column in when)
