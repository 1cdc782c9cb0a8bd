"""What surrounds every page: navigation, theme, the form's token; and how a page becomes a response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from hub.store.questions import way
from hub.web.page import Asked, Page, Site, View
from hub.web.proofs import Proofs
from hub.web.refusal import RefusedError
from hub.web.render import THEMES, Renderer
from hub.web.routing import NAVIGATION

DONE = {
    "paused": "Paused. What it should show is kept, and pushed when you resume.",
    "resumed": "Resumed. What waited is on its way.",
    "replayed": "Sent again: {n}. Whatever fails again comes back here with its reason.",
    "replayed_deliveries": "Due again: {n}. Watch the attempts below.",
}


class Frame:
    """Renders pages within the layout."""

    def __init__(self, site: Site, renderer: Renderer, proofs: Proofs) -> None:
        self.site = site
        self._renderer = renderer
        self._proofs = proofs

    def show(self, request: Request, view: View) -> HTMLResponse:
        """Answer a request with a page."""
        asked = Asked(request.url.path, request.path_params, dict(request.query_params))
        return self.respond(request, view(self.site, asked))

    def respond(self, request: Request, page: Page) -> HTMLResponse:
        """A page as a response."""
        html = self._renderer.page(page, self._values(request))
        return HTMLResponse(html, page.status, {"cache-control": "no-store"})

    def partials(self, request: Request, page: Page) -> dict[str, str]:
        """The live parts of a page, by name."""
        return self._renderer.partials(page, self._values(request))

    def refusal(self, request: Request, error: RefusedError) -> HTMLResponse:
        """A refusal in plain words."""
        template = "login.html" if error.status == 401 else "error.html"  # noqa: PLR2004 - what HTTP calls not signed in
        title = error.title or {401: "Sign in", 404: "Not found"}.get(error.status, "That did not work")
        values = {
            "error": error,
            "heading": title,
            "next": _here(request),
            "now": self.site.context.now(),
            # a strict cookie stays at home when a link in an e-mail is followed; our own page asking again brings it
            "bounce": request.headers.get("sec-fetch-site") == "cross-site" and request.method == "GET",
        }
        return self.respond(request, Page(template=template, title=title, values=values, status=error.status))

    def open_letters(self, source: str | None) -> list[str]:
        """Ids of the dead letters that wait, of one connection or all; at most ten thousand."""
        with self.site.context.database.read() as connection:
            found, _ = way.letters(connection, limit=10_000, state="open", source=source or None)
        return [letter.id for letter in found]

    def _values(self, request: Request) -> Mapping[str, Any]:
        theme = request.cookies.get("theme", "auto")
        return {
            "path": request.url.path,
            "here": _here(request),
            "theme": theme if theme in THEMES else "auto",
            "navigation": NAVIGATION,
            "form_token": self._proofs.form,
            "signed_in": bool(request.scope.get("signed_in")),
            "query_text": request.query_params.get("q", "")[:200] if request.url.path == "/" else "",
            "done": _done(request.query_params.get("done", ""), request.query_params.get("n", "")),
            "version": self.site.context.version,
        }


def _here(request: Request) -> str:
    query = request.url.query
    path = request.scope["path"]
    return f"{path}?{query}" if query else str(path)


def _done(what: str, number: str) -> str:
    return DONE.get(what, "").format(n=number if number.isdecimal() else "0")
