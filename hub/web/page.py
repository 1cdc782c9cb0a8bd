"""A page before it is HTML: which template, with what, and which of its parts are live."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from hub.store.questions import portfolio
from hub.web.backtests import Backtests
from hub.web.context import Context
from hub.web.memo import Memo

IDLE: Final = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Site:
    """What every page is made with."""

    context: Context
    memo: Memo
    backtests: Backtests

    def today(self) -> float:
        """The time customers live in: the newest event's where the installation's clock says so, else the wall's."""
        if self.context.settings.clock == "wall":
            return self.context.now()
        with self.context.database.read() as connection:
            return self.memo.ask("newest", lambda: portfolio.newest(connection)) or self.context.now()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is asked: its path, the names in it, and the query's last values."""

    path: str
    names: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)

    def link(self, **changes: str | float | None) -> str:
        """This page with some of its query changed; None takes a value away.

        >>> Asked("/", query={"band": "watch", "page": "3"}).link(page=None, sort="-mrr")
        '/?band=watch&sort=-mrr'
        """
        query = {k: v for k, v in {**self.query, **changes}.items() if v not in (None, "")}
        return f"{self.path}?{urlencode(query)}" if query else self.path

    def number(self, name: str) -> float | None:
        """A finite number from the query, or None: pages forgive what the API refuses."""
        try:
            found = float(self.query.get(name, ""))
        except ValueError:
            return None
        return found if abs(found) < 1e15 else None  # noqa: PLR2004 - beyond that, and NaN, it is no place in a list


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page.

    Attributes:
        template: its file.
        title: of the window.
        values: what template and partials are filled with.
        live: names of partials (`partials/<name>.html`) that are sent anew when something of `topics` happens.
        topics: topics of `hub.store.live`.
        idle: seconds after which it is looked at without news: what grows old, and who died and cannot say so.
        status: of HTTP.
    """

    template: str
    title: str
    values: Mapping[str, Any] = field(default_factory=dict)
    live: tuple[str, ...] = ()
    topics: frozenset[str] = frozenset()
    idle: float = IDLE
    status: int = 200


View = Callable[[Site, Asked], Page]
