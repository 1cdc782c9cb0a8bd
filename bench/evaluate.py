"""`evaluate`: how well a year of a wholesaler is predicted, and at what cost beside models trained anew every week.

Measured: the Online Retail data of `examples/online-retail`, weekly looks, lost: no order within 60 days, by `pulsehub
evaluate` with measures made of the map alone. Everybody predicts the same customers at the same moments and learns from
the same labels; processor time, of which the ratio matters.

Left out: reading the file and replaying it, which all of them need and none is charged for.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from bench.result import Result, at_least, at_most, told

EXAMPLE: Final = Path(__file__).parent.parent / "examples" / "online-retail"
BOOSTING: Final = "gradient_boosting_weekly"


def run() -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "map.yaml").write_text((EXAMPLE / "map.yaml").read_text())  # without the example's own measures
        found = _evaluated(Path(folder))
    mix, rule, trees, cpu = found["mixture"], found["baselines"]["rule"], found["baselines"][BOOSTING], found["cpu_s"]
    return [
        at_most("evaluate.log_loss", mix["log_loss"], "nats", 0.59),
        at_least("evaluate.auc", mix["auc"], "", 0.735),
        at_most("evaluate.ece", mix["ece"], "", 0.03),
        at_least("evaluate.auc_beyond_rule", mix["auc"] - rule["auc"], "", 0.05),
        told("evaluate.boosting.log_loss", trees["log_loss"], "nats"),
        told("evaluate.boosting.auc", trees["auc"], ""),
        told("evaluate.boosting.ece", trees["ece"], ""),
        told("evaluate.cpu", cpu["mixture"], "s"),
        at_most("evaluate.cpu_of_boosting", cpu["mixture"] / cpu[BOOSTING], "", 0.125),
    ]


def _evaluated(folder: Path) -> dict[str, Any]:
    asked = [
        sys.executable,
        "-m",
        "hub.cli",
        "evaluate",
        EXAMPLE / "online_retail.csv.xz",
        "--map",
        folder / "map.yaml",
    ]
    words = [*map(str, asked), "--lost-after", "60d", "--tick", "7d", "--json"]
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
