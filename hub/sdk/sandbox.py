"""A small stand-in of a vendor: used by tests, the demo and load runs, never by an installation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from string import Template
from typing import Any, Final, Protocol, runtime_checkable

from hub.sdk.events import Event

ASGIApp = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """One signed request a vendor sends: POST `body` with `headers` to `path` at the hub's door."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes


@runtime_checkable
class Sandbox(Protocol):
    """The inverse of a source: an event goes in, the vendor's own signed payload comes out.

    Attributes:
        vendor: the plugin's name.
        app: the vendor's API as far as our client speaks it, and a page at `/` that lists its records; ASGI.
    """

    vendor: str
    app: ASGIApp

    def settings(self, url: str) -> Mapping[str, str]:
        """The `PULSEHUB_*` settings with which the hub uses this sandbox, which answers at `url`."""

    def happen(self, event: Event) -> Sequence[Ping]:
        """Let something happen: change the records and return the webhooks the vendor would send for it.

        `event` speaks of bare keys (`account="northwind"`, `entity="ticket-7"`, `contact="ada"`); the sandbox makes
        vendor ids of them, always the same. A kind the vendor does not know returns nothing. Normalizing what is
        returned gives the same kind, time, amount, value and text.
        """

    def happen_many(self, events: Sequence[Event]) -> Sequence[Ping]:
        """As `happen`, one after another; a vendor that sends batches may put several into one webhook."""

    def echoes(self) -> Sequence[Ping]:
        """Webhooks caused by writes to `app` since the last call."""

    def showing(self) -> Sequence[str] | None:
        """Names of the customers whose records here show a health; None where none can be written."""


_PAGE: Final = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title><style>
:root { color-scheme: light dark; --line: light-dark(#e3e6ea, #30363d); --soft: light-dark(#57606a, #9198a1) }
body { font: 14px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 24px 16px; max-width: 1120px }
h1 { font-size: 20px; margin: 0 } h2 { font-size: 15px; margin: 32px 0 8px } p { color: var(--soft); margin: 4px 0 }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: 6px 12px; border-bottom: 1px solid var(--line); white-space: nowrap }
th { color: var(--soft); font-weight: 500 } tr:last-child td { border-bottom: 0 }
</style></head><body><h1>$title</h1><p>$lead</p>$tables</body></html>""")


def sandbox_page(title: str, lead: str, tables: Mapping[str, Sequence[Mapping[str, object]]]) -> str:
    """A sandbox's page at `/`: a sentence and its records, as HTML.

    Args:
        title: heading, `Stripe sandbox`.
        lead: one sentence on what this is.
        tables: rows by heading; the first row's keys are the columns.
    """
    parts = "".join(_table(heading, rows) for heading, rows in tables.items())
    return _PAGE.substitute(title=escape(title), lead=escape(lead), tables=parts)


def _table(heading: str, rows: Sequence[Mapping[str, object]]) -> str:
    if not rows:
        return f"<h2>{escape(heading)}</h2><p>None yet.</p>"
    head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape('' if v is None else str(v))}</td>" for v in row.values()) + "</tr>"
        for row in rows
    )
    return f'<h2>{escape(heading)}</h2><div class="wide"><table><tr>{head}</tr>{body}</table></div>'
