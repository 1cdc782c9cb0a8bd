"""docs/api.md: each request it shows is made, and its answer has the fields that are shown."""

import ast
import json
import re
from itertools import pairwise
from typing import get_args

import pytest

from hub.sdk.health import Band
from hub.store.database import Database
from hub.store.questions.portfolio import SORTS
from hub.web.refusal import CODES
from scoring.overrides import Override, event, rows, write
from tests.docs.pages import ROOT, blocks
from tests.web import companies
from tests.web.conftest import Asker
from tests.web.serving import context

PAGE = ROOT / "docs" / "api.md"
ASKED = [(first.text.split()[1], second) for first, second in pairwise(blocks(PAGE)) if first.language == "http"]
OPEN = {"states", "outcomes", "fields", "context", "properties", "weights"}  # whose keys are data


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Database(f"sqlite:///{tmp_path_factory.mktemp('api')}/hub.db") as database:
        ids = companies.fill(database)
        said = Override(companies.NOW, companies.NOW + 30 * companies.DAY, 40.0, "ann@acme.com", "their sponsor leaves")
        database.write(lambda connection: write(connection, rows([(ids[0], event(ids[0], said))]))).result()
        yield Asker(context(database))


def differences(told, real, where=""):
    """Where the documented answer's shape is not the real one's."""
    if isinstance(told, dict) and isinstance(real, dict):
        if where.rsplit(".", 1)[-1] in OPEN:
            return []
        found = [f"{where}.{key}: told, not there" for key in told.keys() - real.keys()]
        found += [f"{where}.{key}: there, not told" for key in real.keys() - told.keys()]
        for key in told.keys() & real.keys():
            found += differences(told[key], real[key], f"{where}.{key}")
        return found
    if isinstance(told, list) and isinstance(real, list):
        if where == ".events":  # an event leaves out what it does not say: the fullest one is told
            real = [max(real, key=len)]
        return [one for answer in real for one in differences(told[0], answer, where)] if told else []
    kinds = {type(None)} | (
        {type(real)} if isinstance(real, bool) or not isinstance(real, int | float) else {int, float}
    )
    return [] if type(told) in kinds or real is None else [f"{where}: told as {told!r}, is {real!r}"]


@pytest.mark.parametrize(("path", "block"), ASKED, ids=[path for path, _ in ASKED])
def test_the_answer_in_the_docs_has_the_fields_of_the_real_one(site, path, block):
    answer = site.ask(path)
    assert answer.status_code == 200
    if block.language == "json":
        assert differences(json.loads(block.text), answer.json()) == []
    else:
        for line in block.text.splitlines():
            assert line.rsplit(" ", 1)[0] in answer.text


def test_a_field_that_is_not_there_would_be_noticed():
    assert differences({"a": 1, "b": [{"c": 1}]}, {"a": 1, "b": [{"d": 1}]})
    assert differences({"a": "text"}, {"a": 1})


def test_every_route_of_the_api_is_documented_with_its_parameters(site):
    page = PAGE.read_text()
    asked = [path.split("?")[0] for path, _ in ASKED]
    for route, methods in site.ask("/api/openapi.json").json()["paths"].items():
        for method in set(methods) - {"get"}:  # what changes something is told as a command to type
            assert f"curl -X {method.upper()}" in page, (route, method)
        if "get" not in methods:
            assert f"{route.partition('}')[2]} \\" in page, route
            continue
        shape = re.compile(re.sub(r"\{.*?\}", "[^/]+", route))
        assert any(shape.fullmatch(path) for path in asked), route
        for parameter in methods["get"].get("parameters", []):
            if parameter["in"] == "query":
                assert f"`{parameter['name']}`" in page or f"{parameter['name']}=" in page, (route, parameter["name"])


def _tables():
    """The codes of the two tables of errors: the API's and the door's."""
    api, door = PAGE.read_text().split("# The door")
    return [set(re.findall(r"^\| (\d+) \| `([a-z_]+)` \|", part, re.MULTILINE)) for part in (api, door)]


def test_the_doors_refusals_are_those_of_its_code():
    known = set()
    for path in (ROOT / "hub" / "ingest").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(ast.Name("RefusedError"), [ast.Constant(status), ast.Constant(code), *_]):
                    known.add((str(status), code))
                case ast.Call(ast.Name("_Trouble"), [ast.Constant(code), *_]):
                    known.add(("503", code))
    assert _tables()[1] == known


def test_the_apis_refusals_are_those_of_its_code():
    source = "\n".join(path.read_text() for path in (ROOT / "hub" / "web").rglob("*.py"))
    named = set(re.findall(r'code="([a-z_]+)"', source))
    usual = {(str(status), code) for status, (code, _) in CODES.items()}
    told = _tables()[0]
    assert usual <= told
    assert {code for _, code in told - usual} <= named


def test_bands_and_orders_in_the_docs_are_those_there_are():
    page = PAGE.read_text()
    bands, orders = (
        set(re.findall(r"`(\w+)`", re.search(pattern, page)[1]))
        for pattern in (
            r"`band` \(([^)]*)\)",
            r"`sort` \(((?:.|\n)*?);",
        )
    )
    assert bands == set(get_args(Band))
    assert orders == {sort.removeprefix("-") for sort in SORTS}
