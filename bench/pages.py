"""`pages`: what a person waits for, at 10,000 accounts.

Measured: `GET /` and an account's page from `pulsehub up` in a process of its own, over one kept connection, from
request to last byte, with nothing else going on in it; medians after a few to warm up. Beside it the processor time
of the server a request, and the size of the HTML.

Left out: the browser's own work, style and scripts (fetched once), and pages while events stream in.
"""

from __future__ import annotations

import http.client
import time

from bench.child import UP, Child
from bench.installation import installation
from bench.result import Result, below, median, quantile, told
from bench.traffic import account_of

ACCOUNTS = 10_000
TIMES = 40
_WARM = 5


def run(accounts: int = ACCOUNTS, times: int = TIMES) -> list[Result]:
    results: list[Result] = []
    with installation(accounts) as folder, Child(UP, folder) as child:
        child.ready()
        connection = child.connect()
        for name, path in (("pages", "/"), ("pages.account", f"/accounts/{account_of(0)}")):
            size = max([_get(connection, path) for _ in range(_WARM)])
            took, used = [], child.cpu()
            for _ in range(times):
                began = time.perf_counter()
                _get(connection, path)
                took.append((time.perf_counter() - began) * 1_000)
            used = child.cpu() - used
            results += [
                below(name, median(took), "ms", 100),
                told(f"{name}_p95", quantile(took, 0.95), "ms"),
                told(f"{name}_cpu", used * 1_000 / times, "ms"),
                below(f"{name}_size", size / 1_000, "KB", 100),
            ]
    return results


def _get(connection: http.client.HTTPConnection, path: str) -> int:
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == http.client.OK, f"{path} answered {answer.status}"
    return len(body)
