"""What could not be taken, why, and how to try again."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import unquote

from hub.store.questions import way
from hub.store.questions.paging import CursorError
from hub.web.page import Asked, Page, Site
from hub.web.refusal import RefusedError

SIZE: Final = 50
_MOST_BODY: Final = 16_384


def view(site: Site, asked: Asked) -> Page:
    """All dead letters, open ones unless asked otherwise."""
    state = asked.query.get("state", "open")
    state = state if state in ("open", "replayed", "all") else "open"
    source = asked.query.get("connection") or None
    with site.context.database.read() as connection:
        counts = way.letters_by_connection(connection)
        try:
            found, older = way.letters(
                connection,
                limit=SIZE,
                state=None if state == "all" else state,
                source=source,
                cursor=asked.query.get("after") or None,
            )
        except CursorError as error:
            raise RefusedError(400, str(error), code="bad_cursor") from None
    return Page(
        template="letters.html",
        title="Dead letters",
        values={
            "now": site.context.now(),
            "asked": asked,
            "letters": found,
            "older": older,
            "state": state,
            "source": source,
            "counts": counts,
            "open_letters": sum(counts.values()),
            "can_replay": site.context.replay_dead_letters is not None,
        },
        live=("letters",),
        topics=frozenset({"dead_letters"}),
    )


def view_one(site: Site, asked: Asked) -> Page:
    """One dead letter with its bytes, as text where they are text."""
    with site.context.database.read() as connection:
        letter = way.letter(connection, unquote(asked.names["letter"]))
    if letter is None:
        raise RefusedError(404, "No dead letter has that id.", code="unknown_letter", title="No such dead letter")
    body, form = readable(letter.body)
    return Page(
        template="letter.html",
        title="Dead letter",
        values={
            "now": site.context.now(),
            "asked": asked,
            "letter": letter,
            "context_facts": context_of(letter.context),
            "body": body,
            "form": form,
            "can_replay": site.context.replay_dead_letters is not None,
        },
    )


def readable(body: bytes) -> tuple[str, str]:
    """A body as people read it, and what it is: indented JSON, text, or a dump of bytes; at most 16 KB of it.

    >>> readable(b'{"a":1}')[1], readable(b"hi"), readable(bytes([0, 255]))
    ('JSON', ('hi', 'text'), ('00 ff', 'bytes'))
    """
    cut = body[:_MOST_BODY]
    try:
        text = cut.decode()
    except UnicodeDecodeError:
        return cut[:2048].hex(" "), "bytes"
    if "\0" in text:
        return cut[:2048].hex(" "), "bytes"
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)[: 2 * _MOST_BODY], "JSON"
    except (ValueError, RecursionError):
        return text, "text"


def context_of(text: str) -> list[tuple[str, str]]:
    """Where it was, as names and values."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return [("context", text)]
    if not isinstance(found, dict):
        return [("context", text)]
    return [(str(k).replace("_", " "), v if isinstance(v, str) else json.dumps(v)) for k, v in found.items()]
