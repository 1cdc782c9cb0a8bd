"""Pages to HTML. Everything is escaped unless one of our own functions made it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context as Values
from markupsafe import Markup

from hub.web import words
from hub.web.page import Page
from hub.web.svg.markup import tag
from hub.web.svg.shape import shape

STATIC: Final = Path(__file__).parent / "static"
THEMES: Final = ("auto", "light", "dark")


class Renderer:
    """Jinja2 with our words as filters."""

    def __init__(self) -> None:
        self._assets = {path.name: _digest(path) for path in STATIC.iterdir()}
        self._environment = Environment(
            loader=PackageLoader("hub.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            name: getattr(words, name)
            for name in ("whole", "signed", "share", "figure", "month", "money", "plural", "kind", "span", "clock")
        }
        self._environment.filters |= {
            "exact": words.exact,
            "iso": words.iso,
            "measured": words.measured,
            "fact": words.fact,
        }
        self._environment.filters |= {"sentence": lambda text: text[:1].upper() + text[1:]}
        self._environment.filters |= {"ticked": _ticked}
        self._environment.filters |= {"pairs": _pairs, "quoted": partial(quote, safe="")}
        self._environment.filters |= {"age": _age, "due": _due, "day": _day, "since": _since}
        self._environment.globals |= {
            "asset": self._asset,
            "band_words": words.BAND_WORDS,
            "shape": shape,
        }

    def page(self, page: Page, frame: Mapping[str, Any]) -> str:
        """A whole page; `frame` is what the layout needs."""
        values = {**frame, **page.values}
        live = partial(self._live, page, values)
        return self._environment.get_template(page.template).render(**values, page=page, live=live)

    def partials(self, page: Page, frame: Mapping[str, Any]) -> dict[str, str]:
        """Each live part of a page, by name."""
        values = {**frame, **page.values}
        return {name: self._partial(name, page, values) for name in page.live}

    def _partial(self, name: str, page: Page, values: Mapping[str, Any]) -> str:
        return self._environment.get_template(f"partials/{name}.html").render(**values, page=page)

    def _live(self, page: Page, values: Mapping[str, Any], name: str) -> Markup:
        inner = self._partial(name, page, values)
        return Markup(f'<div data-live="{name}" data-digest="{digest(inner)}">{inner}</div>')  # noqa: S704 - rendered

    def _asset(self, name: str) -> str:
        return f"/static/{name}?v={self._assets[name]}"


def digest(text: str) -> str:
    """Tells two versions of a partial apart."""
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=6).hexdigest()


def _ticked(text: str) -> Markup:
    """What stands between backticks is code.

    >>> _ticked("use `7d`, not `<b>`")
    Markup('use <code>7d</code>, not <code>&lt;b&gt;</code>')
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return Markup("{}").format(text)
    return Markup("").join(tag("code", part) if place % 2 and part else part for place, part in enumerate(parts))


def _pairs(text: str) -> list[tuple[str, Any]]:
    """Names and values of a JSON object; none if it is no object."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return list(found.items()) if isinstance(found, dict) else []


@pass_context
def _age(values: Values, then: float | None, now: float | None = None) -> Markup:
    """How long ago, with the exact time for those who hover."""
    return tag(
        "time",
        words.ago(then, values["now"] if now is None else now),
        datetime=words.iso(then) or None,
        title=words.exact(then),
    )


@pass_context
def _due(values: Values, day: str | None) -> Markup:
    """How far away a date is, with the date for those who hover."""
    return tag("span", words.due(day, values["now"]), title=day)


@pass_context
def _day(values: Values, then: float) -> str:
    return words.day(then, values["now"])


@pass_context
def _since(values: Values, then: float) -> str:
    return words.since(then, values["now"])
