"""`python -m tests.docs.metrics_page --write`: docs/metrics.md, from metrics and alerts as they are declared."""

import re
import sys
from pathlib import Path

import yaml

from hub import metrics

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "metrics.md"
RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"

HEAD = """\
# Metrics, probes, traces, logs

<!-- made by `python -m tests.docs.metrics_page --write`; a test fails when it is out of date -->

| what | where |
|---|---|
| `/metrics` | `up` and `web` on their port, `worker` and `learner` with `--port`; where there is a token, with it |
| dashboard | [deploy/grafana/pulsehub.json](../deploy/grafana/pulsehub.json): import it, choose the Prometheus |
| alerts | [deploy/prometheus/alerts.yaml](../deploy/prometheus/alerts.yaml): name it under `rule_files` |
| traces | off; `PULSEHUB_OTEL_ENDPOINT` |
| logs | standard error, one JSON object a line; [names to watch](operate.md#what-to-watch) |

## Alive, able

`/healthz` is 503 when only a restart helps: the loop of the agents has not turned for half a minute, or a room has
stopped for good. `/readyz` is 503 while the process cannot do its work, and `reasons` says why: database or log do
not answer, partitions are still to be assigned and loaded, a room here has stopped, the disk is nearly full, scoring is
too far behind. Neither needs a token; neither tells an address or anything of a customer. Restart by the first, send
requests by the second.

## What to watch

- **Is anything coming?** `rate(pulsehub_door_answers_total[5m])` by connection; a vendor that is silent has stopped.
- **Is it in time?** `pulsehub_record_age_seconds` of `scoring.rescore`: from the log to the commit of the health it
  caused. Every event counts, a batch at a time.
- **Is it behind?** `pulsehub_room_lag_seconds` is seen from outside: how long ago the log first reached past where a
  room stands. It is never too long, and too short by no more than the time between two scrapes; after a start it
  knows nothing older than the start.
- **Does it arrive?** `pulsehub_delivery_queue_age_seconds`; of fields it is the age of the health that is to be shown.
  Not told where customers live in the time of their events (`PULSEHUB_CLOCK=event`).
- **Do the books balance?** `pulsehub_books_difference` is 0.

What is asked of the whole installation is told by each process that is scraped: use `max by (...)`, not `sum`. It is
asked of the database and the log at the scrape, at most every two seconds. What takes counting (`pulsehub_accounts`,
`pulsehub_delivery_*`, `pulsehub_dead_letters*`) is counted once for all processes, through Redis, and told again for
ten times as long as that took, a minute at most; with 200,000 customers it takes about a third of a second on
PostgreSQL. When the database or the log does not answer, what it would have told is missing and
`pulsehub_database_up` or `pulsehub_log_up` is 0.

## Traces

```sh
PULSEHUB_OTEL_ENDPOINT=http://collector:4318/v1/traces PULSEHUB_OTEL_SHARE=0.01 pulsehub up
```

Each event is a trace: `take` (the door, until the log has it), `score` (until its batch is on disk), `deliver` (each
attempt at a destination to show a health it caused). The trace's id is the event's digest, so all processes trace the
same events without telling each other: [why](adr/0012-traces-are-made-of-facts.md). Spans carry ids of events and
accounts and names of connections and sinks, nothing a customer wrote. Headers for the collector:
`OTEL_EXPORTER_OTLP_HEADERS`.
"""


def page():
    """The whole page."""
    described = metrics.described()
    asked = {one.name for one in metrics.ASKED}
    ours = [one for one in described if one.name.removesuffix("_total") not in asked]
    whole = [one for one in described if one.name.removesuffix("_total") in asked]
    return "".join(
        [
            HEAD,
            "\n## Of a process\n\n",
            _table(ours),
            "\nBeside these there is `process_*`: processor, memory, open files.\n",
            "\n## Of the installation\n\n",
            _table(whole),
            "\n## Alerts\n\n",
            _alerts(),
        ]
    )


def _table(described):
    rows = [
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.says} |\n"
        for one in described
    ]
    return "| metric | is a | by | |\n|---|---|---|---|\n" + "".join(rows)


def _alerts():
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    rows = [
        f"| `{one['alert']}` | {one['labels']['severity']} | {_plain(one['annotations']['summary'])} "
        f"| {one['annotations']['runbook']} |\n"
        for one in rules
    ]
    return "| alert | | means | do |\n|---|---|---|---|\n" + "".join(rows)


def _plain(summary):
    """Without the template: `{{ $labels.sink }}` is a sink, `{{ $value | humanize }}` a number."""
    return re.sub(
        r"\{\{ \$(?:labels\.(\w+)|value[^}]*) \}\}",
        lambda found: f"*{found[1]}*" if found[1] else "*so long, so many*",
        summary,
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page())
    else:
        sys.stdout.write(page())
