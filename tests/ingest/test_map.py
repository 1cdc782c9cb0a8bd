"""The map of an import: what it says, and what it says when it is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

import hub
from hub.ingest.importing import load_map
from hub.ingest.importing.mapping import Mapping

BASE = """\
connection: shop
events:
  - kind: invoice.paid
    account: "customer:{Customer}"
    occurred_at: Date
"""


@pytest.fixture
def mapped(tmp_path):
    """Events of one row by a map."""

    def run(text, **cells):
        cells = {"Customer": "7", "Date": "2026-03-01T10:00:00Z", "@line": "2", "@hash": "abc", **cells}
        path = tmp_path / "map.yaml"
        path.write_text(text, "utf-8")
        return Mapping(load_map(path), list(cells)).events(cells)

    return run


def refused(tmp_path, text):
    path = tmp_path / "map.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(hub.ConfigError) as caught:
        load_map(path)
    return str(caught.value).replace(str(path), "map.yaml")


def test_the_shortest_map_makes_an_event(mapped):
    (event,) = mapped(BASE)

    assert event == hub.Event(
        id="shop:row:abc:2",
        kind="invoice.paid",
        account="shop:customer:7",
        occurred_at=datetime(2026, 3, 1, 10, tzinfo=UTC),
    )


def test_every_part_of_an_event_can_be_mapped(mapped):
    (event,) = mapped(
        BASE
        + """\
    id: "{Invoice}:{@line}"
    contact: "person:{Mail|lower}"
    entity: "invoice:{Invoice|int}"
    amount: {column: Cents, divide: 100}
    currency: "{Currency|upper}"
    value: {column: Price, times: Quantity, absolute: true}
    text: "{Comment}"
    properties: {plan: team, seats: 3, trial: false, country: "{Country}", price: {column: Price}, none: "{Empty}"}
""",
        Invoice="17.0",
        Mail="Ada@Acme.com",
        Cents="1999",
        Currency="gbp",
        Price="-2.5",
        Quantity="4",
        Comment="Thank you",
        Country="UK",
        Empty="",
    )

    assert (event.id, event.contact, event.entity) == ("shop:17.0:2", "shop:person:ada@acme.com", "shop:invoice:17")
    assert (event.amount, event.currency, event.value, event.text) == (Decimal("19.99"), "GBP", 10.0, "Thank you")
    assert event.properties == {"plan": "team", "seats": 3, "trial": False, "country": "UK", "price": -2.5}


@pytest.mark.parametrize(
    ("spec", "cell", "at"),
    [
        ("Date", "2026-07-01 10:00:00+02:00", datetime(2026, 7, 1, 8, tzinfo=UTC)),
        ("Date", "2026-07-01", datetime(2026, 7, 1, tzinfo=UTC)),
        ("{column: Date, zone: Europe/London}", "2026-07-01 10:00", datetime(2026, 7, 1, 9, tzinfo=UTC)),
        ("{column: Date, format: unix}", "1772359200.5", datetime(2026, 3, 1, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("{column: Date, format: unix_ms}", "1772359200500", datetime(2026, 3, 1, 10, 0, 0, 500_000, tzinfo=UTC)),
        ('{column: Date, format: "%d.%m.%Y %H:%M"}', "01.03.2026 10:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ('{column: Date, format: "%d/%m/%y %z"}', "01/03/26 +0100", datetime(2026, 2, 28, 23, tzinfo=UTC)),
    ],
)
def test_times_are_read_in_the_formats_people_use(mapped, spec, cell, at):
    assert mapped(BASE.replace("occurred_at: Date", f"occurred_at: {spec}"), Date=cell)[0].occurred_at == at


@pytest.mark.parametrize("cell", ["", "yesterday", "9" * 400, "nan", "1e400", "0000-00-00"])
@pytest.mark.parametrize("spec", ["Date", "{column: Date, format: unix}"])
def test_what_is_no_time_rejects_the_row(mapped, spec, cell):
    with pytest.raises(hub.RejectedError, match="Date"):
        mapped(BASE.replace("occurred_at: Date", f"occurred_at: {spec}"), Date=cell)


@pytest.mark.parametrize(
    ("written", "cell", "value"),
    [
        ("{}", "12.50", "12.5"),
        ("{}", "-1e3", "-1000"),
        ("{}", ".5", "0.5"),
        ("{thousands: ','}", "1,234,567.8", "1234567.8"),
        ("{decimal: ',', thousands: '.'}", "1.234.567,8", "1234567.8"),
        ("{decimal: ','}", "12,50", "12.5"),
        ('{thousands: "\'"}', "1'234", "1234"),
    ],
)
def test_numbers_are_read_as_they_are_written(mapped, written, cell, value):
    (event,) = mapped(BASE + f"    value: V\nnumbers: {written}\n", V=cell)
    assert event.value == float(value)


@pytest.mark.parametrize("cell", ["twelve", "1,5", "nan", "inf", "1e9999", "9" * 70, "1.2.3", "٣", "0x10"])
def test_what_is_no_number_rejects_the_row(mapped, cell):
    with pytest.raises(hub.RejectedError, match="V is not a number"):
        mapped(BASE + "    value: V\n", V=cell)


def test_an_empty_number_is_none(mapped):
    assert mapped(BASE + "    value: V\n", V="")[0].value is None


def test_an_empty_column_in_an_account_rejects_the_row(mapped):
    with pytest.raises(hub.RejectedError, match="account"):
        mapped(BASE, Customer="")


@pytest.mark.parametrize(
    ("condition", "cell", "holds"),
    [
        ("C1", "C1", True),
        ("5", "5", True),
        ("{equals: [a, b]}", "b", True),
        ("{equals: true}", "true", True),
        ("{startswith: C}", "C12", True),
        ("{startswith: C}", "12C", False),
        ("{startswith: [A, C]}", "A1", True),
        ("{endswith: x}", "ax", True),
        ("{contains: b}", "abc", True),
        ("{matches: '[0-9]{3}'}", "123", True),
        ("{matches: '[0-9]{3}'}", "1234", False),
        ("{gt: 5}", "5", False),
        ("{gt: 5}", "5.01", True),
        ("{ge: 5, lt: 6}", "5", True),
        ("{ge: 5, lt: 6}", "6", False),
        ("{le: 0}", "-3", True),
        ("{gt: 0}", "many", False),
        ("{empty: true}", "", True),
        ("{empty: false}", "", False),
        ("{unless: {startswith: C}}", "12", True),
        ("{unless: {startswith: C}}", "C1", False),
        ("{gt: 1, unless: {equals: 3}}", "3", False),
        ("{unless: C}", "C", False),
        ("{unless: C}", "D", True),
        ("{unless: [C, D]}", "D", False),
        ("{startswith: C, unless: null}", "C1", True),
    ],
)
def test_conditions_hold_as_they_read(mapped, condition, cell, holds):
    text = BASE.replace("  - kind", f"  - when: {{X: {condition}}}\n    kind")
    if holds:
        assert len(mapped(text, X=cell)) == 1
    else:
        with pytest.raises(hub.RejectedError, match="no rule of the map applies"):
            mapped(text, X=cell)


def test_a_row_may_make_several_events_each_with_an_id_of_its_own(mapped):
    text = BASE + BASE.split("events:\n")[1].replace("invoice.paid", "usage.tracked")
    events = mapped(text)

    assert [e.kind for e in events] == ["invoice.paid", "usage.tracked"]
    assert len({e.id for e in events}) == 2


def test_rows_the_map_rejects_say_its_reason(mapped):
    with pytest.raises(hub.RejectedError, match=r"^no customer$"):
        mapped(BASE + "reject:\n  - when: {Customer: {empty: true}}\n    reason: no customer\n", Customer="")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BASE.replace("connection: shop\n", ""), "map.yaml:1: connection: Field required"),
        (BASE.replace("kind: invoice.paid", "kind: paid"), "map.yaml:3: events.0.kind: "),
        (BASE.replace("    account", "    acount"), "map.yaml:4: events.0.acount: Extra inputs are not permitted"),
        (BASE + "zone: Mars/Olympus\n", "map.yaml:6: zone: Value error, 'Mars/Olympus' is no time zone"),
        (BASE + "encoding: utf-99\n", "map.yaml:6: encoding: Value error, 'utf-99' is no encoding"),
        (BASE + "encoding: utf-16\n", "save the file as UTF-8"),
        (BASE + "numbers: {decimal: x}\n", "map.yaml:6: numbers.decimal: "),
        ("connection: [\n", "not YAML"),
        ("connection: a\nconnection: {\n", "map.yaml:3: not YAML"),
        ("", "the map: Input should be a valid dictionary"),
        ("- 1\n", "the map: Input should be a valid dictionary"),
        ("connection: shop\nevents: []\n", "map.yaml:2: events: "),
        ("connection: Shop!\nevents: []\n", "map.yaml:1: connection: "),
    ],
)
def test_a_wrong_map_names_the_line_and_the_key(tmp_path, text, says):
    assert says in refused(tmp_path, text)


def test_a_map_that_is_not_there_says_so(tmp_path):
    with pytest.raises(hub.ConfigError, match=r"cannot read .*No such file"):
        load_map(tmp_path / "none.yaml")


def test_a_map_that_is_not_text_says_so(tmp_path):
    (tmp_path / "map.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(hub.ConfigError, match="is not UTF-8"):
        load_map(tmp_path / "map.yaml")


def test_a_column_the_file_does_not_have_is_named_with_those_it_has(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(BASE, "utf-8")
    with pytest.raises(
        hub.ConfigError, match=r"events\.0\.account: the file has no column 'Customer'; it has Kunde, Date"
    ):
        Mapping(load_map(path), ["Kunde", "Date"])


def test_a_filter_there_is_not_is_named(mapped):
    with pytest.raises(hub.ConfigError, match="trim is no filter; there are int, lower, upper"):
        mapped(BASE.replace("{Customer}", "{Customer|trim}"))


def test_a_pattern_that_is_none_is_named(mapped):
    with pytest.raises(hub.ConfigError, match="is no regular expression"):
        mapped(BASE.replace("  - kind", "  - when: {Customer: {matches: '('}}\n    kind"))


def test_the_map_of_the_example_is_valid():
    plan = load_map(Path(__file__).parents[2] / "examples" / "online-retail" / "map.yaml")
    assert [rule.kind for rule in plan.events] == ["refund.issued", "invoice.paid"]
