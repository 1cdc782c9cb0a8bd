"""What the sixty companies' outcomes have taught: labels with their predictions, versions of the models, what waits."""

import json
import random

import numpy as np
from sqlalchemy import delete, insert

from hub.store import schema
from scoring.experts.drift import Alarm
from scoring.learner import columns
from scoring.loading import load
from scoring.model import DRAFT, EXPERTS, fresh
from scoring.norms import Norms
from tests.web.companies import DAY, NOW

WEEKS = 14
GOOD = {"mix": 0.5, "bayes": 0.55, "proxy": 0.6, "scorecard": 1.2, "base_rate": None}
"""How far off each expert's log odds are, at a standard deviation; None: it says the same of everybody."""


_ENDED = (
    b'{"id": "stripe:%s:gone", "kind": "subscription.cancelled", "account": "%s", "connection": "stripe",'
    b' "occurred_at": "2026-07-01T00:00:00Z"}'
)


def learn(database, ids, *, seed=3, weeks=WEEKS, now=NOW):
    """Put `weeks` of outcomes on record for these accounts, in place of what stands there, and ten versions."""
    chance, rows, waits, ends = random.Random(seed), [], [], []
    for n, account in enumerate(ids):
        truth = chance.gauss(-1.4, 1.6)
        for week in range(weeks):
            at = now - (61 + 7 * week) * DAY + n
            said = {name: _chance(chance, truth, off) for name, off in GOOD.items()}
            lost = chance.random() < 1 / (1 + 2.718281828**-truth)
            label = {"account": account, "at": at, "matured_at": at + 60 * DAY, "lost": int(lost), "taught": 12}
            label["segment"] = "enterprise" if n < len(ids) // 2 else "" if n < len(ids) - 3 else "trial"
            rows.append(label | {"predictions": json.dumps(said)})
        if gone := [row["at"] for row in rows[-weeks:] if row["lost"]]:
            at = max(gone) + (10 + n % 40) * DAY
            ended = {"account": account, "occurred_at": at, "received_at": at, "kind": "subscription.cancelled"}
            body = _ENDED % (account.encode(), account.encode())
            ends.append(ended | {"connection": "stripe", "event": f"stripe:{account}:gone", "body": body})
        due = {"due": now + DAY * (10 + n % 50), "half_due": None, "features": b"", "predictions": "{}"}
        where = {"account": account, "at": now - DAY * (n % 50), "partition": n % 8}
        waits.append(where | due | {"config_version": "c1", "model_version": 12})
    lost, config = sum(row["lost"] for row in rows), load()

    def write(connection):
        connection.execute(delete(schema.labels))
        connection.execute(insert(schema.labels), rows)
        connection.execute(insert(schema.snapshots), waits)
        connection.execute(insert(schema.archive), ends)
        for version in range(1, 11):
            model = fresh(config)
            model.version, model.labels, model.lost = version, len(rows) * version // 10, lost * version // 10
            model.at = model.trained_through = now - (10 - version) * 3 * DAY
            bayes = 0.1 + version * 0.05
            model.drift.alarms = [Alarm(now - 14 * DAY, now - 35 * DAY, "bayes", 0.432, 0.883)]
            model.mixture.weights = dict.fromkeys(EXPERTS, (0.7 - bayes) / (len(EXPERTS) - 2)) | {
                "bayes": bayes, "proxy": 0.3,
            }  # fmt: skip
            if version == 10:
                said, ended = np.full((50, len(EXPERTS)), -1.0), np.arange(50) % 2 == 0
                model.blends.learn("enterprise", model.mixture.weights, said, ended, weight=1.0, kept=1.0)
                model.drift.alarms.append(Alarm(now - 6 * DAY, now - 20 * DAY, "bayes", 0.432, 0.883))
                model.norms = Norms(3, now - DAY, now - DAY, config.version, 61, 61, {})
            for number in (version, DRAFT) if version == 10 else (version,):
                connection.execute(insert(schema.models).values(columns(model, number)))

    database.write(write).result()


def _chance(chance, truth, off):
    if off is None:
        return 0.25
    return 1 / (1 + 2.718281828 ** -(truth * 0.9 + chance.gauss(0, off)))
