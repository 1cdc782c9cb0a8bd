"""Which address shows which page; pages and the live stream look it up here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.routing import compile_path

from hub.web.page import Asked, View
from hub.web.pages import account, backtest, deliveries, letters, models, moved, portfolio, scorecard, streams, what_if

PAGES: Final[Mapping[str, View]] = {
    "/": portfolio.view,
    "/accounts/{reference}": account.view,
    "/accounts/{reference}/moved": moved.view,
    "/accounts/{reference}/what-if": what_if.view,
    "/moved": moved.view_book,
    "/models": models.view,
    "/scorecard": scorecard.view,
    "/scorecard/backtests/{key}": backtest.view,
    "/streams": streams.view,
    "/deliveries": deliveries.view,
    "/dead-letters": letters.view,
    "/dead-letters/{letter}": letters.view_one,
}
NAVIGATION: Final = (
    ("/", "Portfolio", "portfolio", "customers"),
    ("/models", "Models", "models", "health"),
    ("/scorecard", "Scorecard", "scorecard", "health"),
    ("/streams", "Connectors and streams", "streams", "operation"),
    ("/deliveries", "Deliveries", "deliveries", "operation"),
    ("/dead-letters", "Dead letters", "letters", "operation"),
)
_COMPILED: Final = [(compile_path(path)[0], view) for path, view in PAGES.items()]


def look_up(address: str) -> tuple[View, Asked] | None:
    """The page at a path with its query; None where there is none."""
    parts = urlsplit(address)
    for pattern, view in _COMPILED:
        if found := pattern.match(parts.path):
            query = dict(parse_qsl(parts.query, errors="replace", max_num_fields=50))
            return view, Asked(parts.path, found.groupdict(), query)
    return None
