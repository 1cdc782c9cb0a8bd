"""The sandbox's page: its accounts as a seller would see them, health beside each."""

from __future__ import annotations

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
_COLUMNS: Final = ("Account", "Owner", "Health", "Band", "Drivers", "Churn risk", "Renewal", "As of")
_NUMBERS: Final = {"Health", "Churn risk", "Renewal", "As of"}
_PAGE: Final = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="refresh" content="3"><meta name="color-scheme" content="light dark">
<title>Accounts · Salesforce sandbox</title><style>
:root{color-scheme:light dark;--ink:light-dark(#181b25,#e7eaf2);--dim:light-dark(#5b6475,#a1abbd);
--line:light-dark(#e3e6ee,#2d3444);--page:light-dark(#f6f8fb,#11151d);--card:light-dark(#fff,#1a202c);
--vendor:light-dark(#014486,#0b3a66);--thriving:light-dark(#12703b,#5fd08a);--steady:light-dark(#475a66,#a9bcc7);
--watch:light-dark(#8a5a00,#f0b849);--at_risk:light-dark(#b3261e,#ff8a80)}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:14px/1.45 system-ui,sans-serif;
font-variant-numeric:tabular-nums}
header{background:var(--vendor);color:#fff;padding:16px 24px}h1{font-size:20px;margin:0}
header p{margin:4px 0 0;opacity:.85}main{padding:24px;max-width:1360px;margin:auto}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;overflow-x:auto}
table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:600;color:var(--dim);font-size:12px}
th,td{padding:8px 12px;border-bottom:1px solid var(--line);vertical-align:top}tr:last-child td{border-bottom:0}
td:first-child,td:nth-child(2){min-width:120px}td small{display:block;color:var(--dim)}
th.n,td.n{text-align:right;white-space:nowrap}.band{white-space:nowrap;font-weight:600}
.thriving{color:var(--thriving)}.steady{color:var(--steady)}.watch{color:var(--watch)}.at_risk{color:var(--at_risk)}
td.drivers{min-width:220px;color:var(--dim)}.empty{padding:32px;text-align:center;color:var(--dim)}
@media(max-width:600px){main{padding:12px}}
</style></head><body><header><h1>Salesforce sandbox · accounts</h1><p>$summary</p></header>
<main><div class="card" tabindex="0">$table</div></main></body></html>
""")


def page(accounts: Sequence[Mapping[str, Any]]) -> str:
    """All accounts as HTML, those whose health was written last first."""
    rows = sorted(accounts, key=lambda account: str(account["Name"]))
    rows.sort(key=lambda account: str(account.get("Health_As_Of__c") or ""), reverse=True)
    written = sum("Health_Score__c" in account for account in rows)
    summary = f"{len(rows)} accounts · health written to {written}"
    if not rows:
        return _PAGE.substitute(summary=summary, table='<p class="empty">Accounts appear as things happen.</p>')
    heads = "".join(f'<th scope="col"{_n(column)}>{column}</th>' for column in _COLUMNS)
    body = "".join(_row(account) for account in rows)
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return _PAGE.substitute(summary=summary, table=table)


def _n(column: str) -> str:
    return ' class="n"' if column in _NUMBERS else ""


def _row(account: Mapping[str, Any]) -> str:
    def said(field: str) -> str:
        value = account.get(field)
        return "" if value is None else escape(str(value))

    band = said("Health_Band__c")
    shape, words = _BANDS.get(band, ("", "not yet known"))
    owner = account.get("Owner") or {}
    risk = said("Churn_Risk__c")
    return (
        f"<tr><td>{said('Name')}<small>{said('Pulsehub_Key__c')}</small></td>"
        f"<td>{escape(str(owner.get('Name') or ''))}</td>"
        f'<td class="n">{said("Health_Score__c")}</td>'
        f'<td class="band {band}">{shape} {words}</td>'
        f'<td class="drivers">{said("Health_Drivers__c")}</td>'
        f'<td class="n">{risk + " %" if risk else ""}</td>'
        f'<td class="n">{said("Renewal_Date__c")}</td>'
        f'<td class="n">{said("Health_As_Of__c").replace("T", " ").rstrip("Z")}</td></tr>'
    )
