"""What left, to whom, and what did not arrive."""

from __future__ import annotations

from typing import Final

from hub.store.questions import portfolio, way
from hub.store.questions.paging import CursorError
from hub.web.page import Asked, Page, Site
from hub.web.refusal import RefusedError

SIZE: Final = 50


def view(site: Site, asked: Asked) -> Page:
    """Destinations with their state, and the newest attempts."""
    context = site.context
    now = context.now()
    sink = asked.query.get("sink") or None
    failed = asked.query.get("outcome") == "failed"
    with context.database.read() as connection:
        places = site.memo.ask("destinations", lambda: way.every_destination(connection, now))
        try:
            receipts, older = way.receipt_list(
                connection, limit=SIZE, sink=sink, failed=failed, cursor=asked.query.get("after") or None
            )
        except CursorError as error:
            raise RefusedError(400, str(error), code="bad_cursor") from None
        names = portfolio.by_ids(connection, list({r.account for r in receipts}))
    used = {place.sink for place in places}
    return Page(
        template="deliveries.html",
        title="Deliveries",
        values={
            "now": now,
            "asked": asked,
            "places": [*places, *(way.Destination(name) for name in context.sinks if name not in used)],
            "receipts": receipts,
            "older": older,
            "names": names,
            "sink": sink,
            "failed": failed,
            "can_act": context.deliveries is not None,
        },
        live=("deliveries-places", "deliveries-receipts"),
        topics=frozenset({"deliveries"}),
    )
