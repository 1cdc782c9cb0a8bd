"""What the command palette lists while somebody types: customers by name, as an HTML fragment."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from hub.store.questions import portfolio
from hub.store.questions.portfolio import Wanted
from hub.web import words
from hub.web.page import Site
from hub.web.svg.shape import shape

_MOST: Final = 8


def router(site: Site) -> APIRouter:
    """The route the palette asks."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/palette")
    def palette(q: str = "") -> HTMLResponse:
        text = q.replace("\0", "").strip()[:200]
        if not text:
            return HTMLResponse("")
        with site.context.database.read() as connection:
            rows = portfolio.page(connection, Wanted(text=text, sort="name"), limit=_MOST)
        return HTMLResponse("".join(_item(row) for row in rows))

    return routes


def _item(row: portfolio.Row) -> Markup:
    band = Markup("not scored yet")
    if row.band:
        band = Markup("{}{} {}").format(shape(row.band), words.whole(row.health), words.BAND_WORDS[row.band])
    return Markup('<a role="option" href="/accounts/{}"><span>{}</span><small class="band {}">{}</small></a>').format(
        quote(row.id, safe=""), row.title, row.band or "unknown", band
    )
