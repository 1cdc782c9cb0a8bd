"""The sandbox's page: its organizations as an agent would see them, health beside each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from string import Template
from typing import Any, Final

_BANDS: Final = {
    "thriving": ("▲", "thriving"),
    "steady": ("●", "steady"),
    "watch": ("◆", "watch"),
    "at_risk": ("▼", "at risk"),
    "left": ("○", "left"),
}
_COLUMNS: Final = ("Organization", "Open tickets", "Health", "Band", "Drivers", "Churn risk", "As of")
_PAGE: Final = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="refresh" content="3"><meta name="color-scheme" content="light dark">
<title>Organizations · Zendesk sandbox</title><style>
:root{color-scheme:light dark;--ink:light-dark(#1c2b33,#e8eef0);--dim:light-dark(#5a6b73,#9fb0b7);
--line:light-dark(#e3e9ea,#2c3a40);--page:light-dark(#f7f9f9,#12191c);--card:light-dark(#fff,#1a2327);
--vendor:light-dark(#03363d,#0b4a53);--thriving:light-dark(#12703b,#5fd08a);--steady:light-dark(#475a66,#a9bcc7);
--watch:light-dark(#8a5a00,#f0b849);--at_risk:light-dark(#b3261e,#ff8a80)}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:14px/1.45 system-ui,sans-serif;
font-variant-numeric:tabular-nums}
header{background:var(--vendor);color:#fff;padding:16px 24px}h1{font-size:20px;margin:0}
header p{margin:4px 0 0;opacity:.85}main{padding:24px;max-width:1280px;margin:auto}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;overflow-x:auto}
table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:600;color:var(--dim);font-size:12px}
th,td{padding:8px 12px;border-bottom:1px solid var(--line);vertical-align:top}tr:last-child td{border-bottom:0}
td:first-child{min-width:150px}td small{display:block;color:var(--dim)}th.n,td.n{text-align:right;white-space:nowrap}
.band{white-space:nowrap;font-weight:600}.thriving{color:var(--thriving)}.steady{color:var(--steady)}
.watch{color:var(--watch)}.at_risk{color:var(--at_risk)}td.drivers{min-width:220px;color:var(--dim)}
.empty{padding:32px;text-align:center;color:var(--dim)}@media(max-width:600px){main{padding:12px}}
</style></head><body><header><h1>Zendesk sandbox · organizations</h1><p>$summary</p></header>
<main><div class="card" tabindex="0">$table</div></main></body></html>
""")


def page(organizations: Sequence[Mapping[str, Any]], tickets: Sequence[Mapping[str, Any]]) -> str:
    """All organizations as HTML, those whose health was written last first."""
    waiting = Counter(t["organization_id"] for t in tickets if t["status"] not in {"SOLVED", "CLOSED"})
    rows = sorted(organizations, key=lambda o: str(o["name"]))
    rows.sort(key=lambda o: str(o["organization_fields"].get("pulsehub_as_of") or ""), reverse=True)
    written = sum("pulsehub_health" in o["organization_fields"] for o in rows)
    summary = f"{len(rows)} organizations · {sum(waiting.values())} open tickets · health written to {written}"
    if not rows:
        return _PAGE.substitute(summary=summary, table='<p class="empty">Organizations appear as things happen.</p>')
    heads = "".join(f"<th scope=col{' class=n' if n in {1, 2, 5, 6} else ''}>{c}</th>" for n, c in enumerate(_COLUMNS))
    body = "".join(_row(o, waiting[o["id"]]) for o in rows)
    return _PAGE.substitute(
        summary=summary, table=f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )


def _row(organization: Mapping[str, Any], waiting: int) -> str:
    fields = organization["organization_fields"]
    band = str(fields.get("pulsehub_band") or "")
    shape, text = _BANDS.get(band, ("", "not yet known"))
    risk = fields.get("pulsehub_risk")
    score = fields.get("pulsehub_health")
    return (
        f"<tr><td>{escape(str(organization['name']))}<small>{escape(str(organization['external_id']))}</small></td>"
        f"<td class=n>{waiting or ''}</td>"
        f"<td class=n>{'' if score is None else escape(str(score))}</td>"
        f'<td class="band {escape(band)}">{shape} {text}</td>'
        f"<td class=drivers>{escape(str(fields.get('pulsehub_drivers') or ''))}</td>"
        f"<td class=n>{f'{risk:.0%}' if isinstance(risk, int | float) else ''}</td>"
        f"<td class=n>{escape(str(fields.get('pulsehub_as_of') or '')).replace('T', ' ').rstrip('Z')}</td></tr>"
    )
