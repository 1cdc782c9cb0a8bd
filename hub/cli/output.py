"""How the command line prints: one JSON document on standard output, or words for people.

Everything that is not the answer (progress, warnings, errors) goes to standard error, so that a pipe gets only answers.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of words.")]

answer: Final = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
aside: Final = Console(stderr=True, highlight=False, soft_wrap=True)

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

BAND_STYLE: Final = {"thriving": "green", "steady": "default", "watch": "yellow", "at_risk": "red", "left": "dim"}
BAND_WORD: Final = {
    "thriving": "▲ thriving",
    "steady": "● steady",
    "watch": "◆ watch",
    "at_risk": "▼ at risk",
    "left": "○ left",
}


class Styled(str):
    """Words of our own making with Rich's markup; any other string is printed as it is."""

    __slots__ = ()


def plain(words: object) -> str:
    """Somebody else's words, to stand between ours: as they are, but for what would steer a terminal."""
    return escape(visible(str(words)))


def visible(words: str) -> str:
    r"""Control characters as escapes, but for tabs and line breaks.

    >>> visible("red: \x1b[31m")
    'red: \\x1b[31m'
    """
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", words)


def print_json(document: Any) -> None:
    """Print one JSON document and nothing else."""
    text = msgspec.json.format(msgspec.json.encode(document, enc_hook=str), indent=2)
    sys.stdout.write(text.decode() + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print rows under their columns, or the sentence that says how rows come to be."""
    table = Table(*columns, box=None, header_style="dim", pad_edge=False)
    for row in rows:
        table.add_row(*map(_cell, row))
    answer.print(table if table.row_count else empty)


def _cell(cell: object) -> Text:
    if isinstance(cell, Styled):
        return Text.from_markup(cell)
    return Text("" if cell is None else visible(str(cell)))


def when(seconds: float | None) -> str:
    """A moment in UTC, to the second: `2026-03-01 10:00:00Z`; a dash for never."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z" if seconds else "–"


def iso(seconds: float | None) -> str | None:
    """A moment in UTC as ISO 8601, for JSON."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z") if seconds else None


def band(name: str | None) -> Styled:
    """A band with its shape and color, as the pages show it."""
    return Styled(f"[{BAND_STYLE[name]}]{BAND_WORD[name]}[/]" if name else "[dim]not scored yet[/]")
