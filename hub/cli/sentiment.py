"""`sentiment`: how the hub reads what customers write, to try it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli import context
from hub.cli.output import Json, Styled, answer, print_json, print_table
from hub.sdk.errors import ConfigError
from hub.store import versions
from hub.store.database import look
from scoring.sentiment.intent import NEUTRAL
from scoring.sentiment.learned import Learned, State
from scoring.sentiment.reading import Reading, read
from scoring.texts import state

_SHOWN = 60  # letters of a text in a table


def sentiment(
    texts: Annotated[list[str] | None, typer.Argument(help="What somebody wrote; quote it.")] = None,
    *,
    file: Annotated[
        Path | None, typer.Option(help="A file with one text a line; - reads them from standard input.")
    ] = None,
    words_only: Annotated[
        bool, typer.Option("--words-only", help="Leave out what this installation learned from ratings.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read texts as the hub reads tickets, replies and comments: language, intent, polarity."""
    given = [*(texts or ()), *_lines(file)]
    if not given:
        raise ConfigError('nothing to read: `pulsehub sentiment "It is broken again"`, or --file')
    learned = Learned(State() if words_only else _learned())
    read_them = [(text, read(text, learned)) for text in given]
    if as_json:
        print_json({"labels": learned.state.labels, "texts": [_document(text, found) for text, found in read_them]})
        return
    print_table(("language", "intent", "polarity", "sure", "text"), [_row(*one) for one in read_them], "")
    answer.print(f"\n[dim]read by their words{_and(learned.state.labels)}[/]")


def _lines(file: Path | None) -> Iterator[str]:
    if file is None:
        return
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from None
    yield from (line for line in body.decode("utf-8", "replace").splitlines() if line.strip())


def _learned() -> State:
    """What the installation learned; nothing where there is none yet."""
    settings, _ = context.load()
    name, found = look(settings.database)
    versions.refuse(found, name)
    if found.schema is None:
        return State()
    with context.opened(settings) as database, database.read() as connection:
        return state(connection)


def _document(text: str, found: Reading | None) -> dict[str, Any]:
    return {"text": text} | (dict.fromkeys(Reading._fields) if found is None else found._asdict())


def _row(text: str, found: Reading | None) -> tuple[object, ...]:
    shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    if found is None:
        return ("–", "nothing said", "–", "–", shown)
    style = "green" if found.polarity > NEUTRAL else "red" if found.polarity < -NEUTRAL else "default"
    polarity = Styled(f"[{style}]{found.polarity:+.2f}[/]")
    return (found.language, found.intent, polarity, f"{found.confidence:.0%}", shown)


def _and(labels: float) -> str:
    return f" and by what {labels:,.0f} ratings taught" if labels else " alone: no rating has taught anything yet"
