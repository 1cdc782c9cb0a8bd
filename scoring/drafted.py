"""A draft as somebody types it: two texts, read into a configuration, or everything that is wrong, line by line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hub import HubError
from scoring.accounts import measures_of
from scoring.config import Config, Dimension, Limit, Measure, Scorecard, SegmentCard, Transform
from scoring.loading import FILES
from scoring.outcome import Outcome
from scoring.scorers import Scorers
from scoring.yamls import NotYamlError, Parsed, Problem, line_of, line_saying, parse, twice

MEASURES, SCORECARD = FILES
MOST: Final = 200
"""Measures and weights of a draft."""
_SHOWN: Final = 12
_BY_KEY: Final[Mapping[str, type[BaseModel]]] = {
    "outcome": Outcome,
    "dimensions": Dimension,
    "measures": Transform,
    "limits": Limit,
    "cards": SegmentCard,
}
_SPANS: Final = ("half_life", "window", "stale_after", "horizon", "every", "silent_after")
_UNKNOWN: Final = re.compile(r"there is no measure (\S+)")
_OF_MEASURE: Final = re.compile(r"measure ([a-z][a-z0-9_]*)\b")


class Drafted(NamedTuple):
    """What came of it.

    Attributes:
        config: what the draft says; None: it cannot be understood.
        problems: what is wrong, the first ones.
        parsed: by file, what could be read.
    """

    config: Config | None
    problems: list[Problem]
    parsed: Mapping[str, Parsed]


def drafted(measures: str, scorecard: str, more: Iterable[Mapping[str, Any]] = ()) -> Drafted:
    """Read a draft.

    Args:
        measures: the text of measures.yaml.
        scorecard: of scorecard.yaml.
        more: measures that plugins bring; one of the text's with the same name wins.
    """
    problems: list[Problem] = []
    parsed: dict[str, Parsed] = {}
    for file, text in ((MEASURES, measures), (SCORECARD, scorecard)):
        try:
            parsed[file] = parse(file, text)
            problems += twice(file, parsed[file].node)
        except NotYamlError as error:
            problems.append(error.problem)
    if problems or (problems := _shapeless(parsed)):
        return Drafted(None, problems[:_SHOWN], parsed)
    declared = _declared(parsed[MEASURES].data)
    taken = {one.get("name") for one in declared if isinstance(one, dict)}
    whole = [*declared, *(dict(one) for one in more if one.get("name") not in taken)]
    try:
        config = Config.model_validate({"measures": whole, "scorecard": parsed[SCORECARD].data})
        measures_of(config, Scorers(config).names)
    except ValidationError as error:
        found = [_problem(one, parsed, whole) for one in error.errors()]
        return Drafted(None, list(dict.fromkeys(found))[:_SHOWN], parsed)
    except (HubError, ValueError, ZeroDivisionError) as error:
        return Drafted(None, [_said(str(error), parsed)], parsed)
    return Drafted(config, [], parsed)


def _declared(data: Any) -> Any:
    return data.get("measures") if isinstance(data, dict) else data


def _shapeless(parsed: Mapping[str, Parsed]) -> list[Problem]:
    """Whether the files are what they must be at all."""
    declared = _declared(parsed[MEASURES].data)
    if not isinstance(declared, list):
        return [Problem(MEASURES, 1, "it must be a list of measures", "begin each with `- name: …`")]
    if len(declared) > MOST:
        return [Problem(MEASURES, None, f"it declares {len(declared):,} measures", f"a page takes {MOST}")]
    if not isinstance(parsed[SCORECARD].data, dict):
        return [Problem(SCORECARD, 1, "it must say `dimensions` and `outcome`", "begin with `dimensions:`")]
    return []


def _problem(error: ErrorDetails, parsed: Mapping[str, Parsed], declared: Sequence[Any]) -> Problem:
    """One complaint of the validation, at its line and in words."""
    where, message = error["loc"], error["msg"].removeprefix("Value error, ")
    match where:
        case ("measures", int(place), *rest):
            root, at = parsed[MEASURES].node, [place, *rest]
            if isinstance(parsed[MEASURES].data, dict):
                at = ["measures", *at]
            said, todo = _words(error, Measure, [str(one) for one in rest], message)
            one = declared[place] if place < len(declared) else None
            name = one.get("name") if isinstance(one, dict) else None
            about = f"measure {name}" if isinstance(name, str) else f"measure {place + 1}"
            said = said if said.startswith("measure ") else f"{about}: {said}"
            return Problem(MEASURES, line_of(root, at), said, todo)
        case ("scorecard", *rest) if rest:
            said, todo = _words(error, _model(rest), [str(one) for one in rest], message)
            return Problem(SCORECARD, line_of(parsed[SCORECARD].node, rest), said, todo)
        case _:
            return _said(message, parsed)


def _said(message: str, parsed: Mapping[str, Parsed]) -> Problem:
    """What is about the whole, at the line that names what it is about."""
    message = message.removeprefix("scorecard: ")
    if found := _UNKNOWN.search(message):
        names = _names(parsed[MEASURES].data)
        line = line_saying(parsed[SCORECARD].node, found[1])
        return Problem(SCORECARD, line, message, _near(found[1], names, "declare it in measures.yaml, or"))
    if (found := _OF_MEASURE.search(message)) and (line := line_saying(parsed[MEASURES].node, found[1])):
        return Problem(MEASURES, line, message)
    return Problem(SCORECARD, line_saying(parsed[SCORECARD].node, message.split()[0]), message)


def _names(declared: Any) -> list[str]:
    return [str(one.get("name")) for one in _declared(declared) or () if isinstance(one, dict)]


class _Complaint(NamedTuple):
    """What the validation complains of: the field, what was given, between what bounds, in which part, in its words."""

    field: str
    given: Any
    bounds: Mapping[str, Any]
    model: type[BaseModel]
    message: str

    @property
    def shown(self) -> str:
        return f"`{self.field}` is `{_short(self.given)}`"


def _words(error: ErrorDetails, model: type[BaseModel], path: Sequence[str], message: str) -> tuple[str, str]:
    """What is wrong and what to do, for the complaints that people meet."""
    field = next((one for one in reversed(path) if not one.isdigit()), "")
    one = _Complaint(field, error.get("input"), error.get("ctx", {}), model, f"{message[:1].lower()}{message[1:]}")
    kind = error["type"]
    if kind == "value_error":
        return message, ""
    told = _TOLD.get(kind) or (_no_number if kind.startswith(("float", "int", "finite")) else _plainly)
    return told(one)


def _unknown_field(one: _Complaint) -> tuple[str, str]:
    return f"there is no field `{one.field}`", _near(one.field, list(one.model.model_fields), "take it out, or")


def _lacking_field(one: _Complaint) -> tuple[str, str]:
    return f"`{one.field}` is missing", "add it"


def _no_option(one: _Complaint) -> tuple[str, str]:
    options = str(one.bounds.get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
    return one.shown, _near(str(one.given), options, f"use one of {', '.join(options)};")


def _no_number(one: _Complaint) -> tuple[str, str]:
    if one.field in _SPANS:
        return f"{one.shown}, which is no length of time", "write 7d, 12h, 90m or 2w"
    return f"{one.shown}, which is no number", "write a finite number"


def _beyond(word: str) -> Callable[[_Complaint], tuple[str, str]]:
    def told(one: _Complaint) -> tuple[str, str]:
        bound = next(iter(one.bounds.values()), "")
        said = f"{bound:g}" if isinstance(bound, float | int) else str(bound)
        todo = "to leave a measure out, delete its line" if one.field == "weight" else ""
        return f"{one.shown}, must be {word} {said}", todo

    return told


def _no_name(one: _Complaint) -> tuple[str, str]:
    return one.shown, "use small letters, digits and _, beginning with a letter"


def _no_fields(one: _Complaint) -> tuple[str, str]:
    shown = one.shown if one.field else f"it is `{_short(one.given)}`"
    return f"{shown}, which has no fields", "write `field: value`, line by line"


def _plainly(one: _Complaint) -> tuple[str, str]:
    return (f"{one.shown}: {one.message}" if one.field else one.message), ""


_TOLD: Final[Mapping[str, Callable[[_Complaint], tuple[str, str]]]] = {
    "extra_forbidden": _unknown_field,
    "missing": _lacking_field,
    "literal_error": _no_option,
    "greater_than": _beyond("more than"),
    "greater_than_equal": _beyond("at least"),
    "less_than": _beyond("less than"),
    "less_than_equal": _beyond("at most"),
    "string_pattern_mismatch": _no_name,
    "model_type": _no_fields,
    "model_attributes_type": _no_fields,
}


def _model(path: Sequence[str | int]) -> type[BaseModel]:
    """Which part of a scorecard a path leads into."""
    found: type[BaseModel] = Scorecard
    for key in path[:-1]:
        found = _BY_KEY.get(str(key), found)
    return found


def _near(word: str, options: Sequence[str], before: str) -> str:
    near = get_close_matches(word, options, 1)
    return f"{before} write `{near[0]}`" if near else before.removesuffix(", or").removesuffix(";")


def _short(given: Any) -> str:
    text = yaml.safe_dump(given, default_flow_style=True, width=200).split("\n")[0] if given is not None else "nothing"
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004 - a line
