"""A stranger's expert, installed by pip from a folder outside the repository, heard, and judged."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proof.past import orders

EXAMPLE = Path(__file__).parents[2] / "examples" / "river-expert"
MAP = """
connection: shop
events:
  - kind: invoice.paid
    account: "shop:customer:{who}"
    occurred_at: when
    amount: sum
    currency: EUR
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(EXAMPLE, folder / "acme", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--target", folder / "site", folder / "acme"], check=True)
    with (folder / "orders.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["who", "when", "sum"])
        rows.writerows([account, one.occurred_at.isoformat(), "10.00"] for one, account in orders(60, 200))
    (folder / "map.yaml").write_text(MAP)
    return folder


def run(outside, *command, cwd=None, **more):
    env = os.environ | {"PYTHONPATH": str(outside / "site"), "PULSEHUB_DATA": str(outside / "data")} | more
    words = [sys.executable, *map(str, command)]
    return subprocess.run(words, cwd=cwd or outside, env=env, capture_output=True, text=True, check=False)


def pulsehub(outside, *words, **more):
    return run(outside, "-c", "from hub.cli import main; main()", *words, **more)


def test_the_example_is_short():
    code = (EXAMPLE / "acme_expert.py").read_text()
    assert len([line for line in code.splitlines() if line.strip()]) <= 33


def test_it_is_listed_with_what_it_provides(outside):
    ran = pulsehub(outside, "plugins", "--json")
    (acme,) = [one for one in json.loads(ran.stdout)["plugins"] if one["name"] == "acme_expert"]
    assert (acme["distribution"], acme["provides"], acme["problem"]) == (
        "acme-expert",
        ["expert acme_committee"],
        None,
    )


def test_evaluate_judges_it_beside_ours(outside):
    ran = pulsehub(
        outside, "evaluate", "orders.csv", "--map", "map.yaml",
        "--lost-after", "28d", "--tick", "7d", "--draws", "0", "--no-rivals", "--json",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["experts"]["acme_committee"]["auc"] > 0.55
    assert told["experts"]["acme_committee"]["labels"] > 100
    assert told["weights"]["acme_committee"] > 0
    assert "left out" not in ran.stderr


def test_the_doctor_asks_it(outside):
    ran = pulsehub(outside, "doctor", "--json")
    (said,) = [one for one in json.loads(ran.stdout)["checks"] if one["name"] == "expert"]
    assert said == {
        "name": "expert",
        "state": "note",
        "says": "acme_committee has learned nothing yet: it begins with the next labels",
    }


def test_its_own_tests_pass_with_the_kit_it_inherits(outside):
    ran = run(outside, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", ".", cwd=outside / "acme")
    assert ran.returncode == 0, ran.stdout
