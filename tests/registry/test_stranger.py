"""A stranger's connector, installed by pip from a folder outside the repository, and used."""

from __future__ import annotations

import hmac
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "acme-connector"

USE = """
import httpx, hub
from datetime import UTC, datetime
from hub.registry import Registry

registry = Registry()
assert "acme" in [plugin.name for plugin in registry.plugins], registry.plugins
(source,) = registry.configure({"PULSEHUB_ACME_SIGNING_SECRET": "k"}, httpx.AsyncClient()).sources
hook = hub.Webhook(path="/in/acme", headers={"x-acme-signature": SIGNATURE}, body=BODY)
now = datetime.now(UTC)
source.verify(hook, now)
(event,) = [event for raw in source.decode(hook, now) for event in source.normalize(raw)]
print(event.kind, event.account)
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(EXAMPLE, folder / "acme", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--target", folder / "site", folder / "acme"], check=True)
    return folder


def run(outside, *command, **more):
    env = os.environ | {"PYTHONPATH": str(outside / "site")}
    return subprocess.run([sys.executable, *command], env=env, capture_output=True, text=True, check=False, **more)


def test_it_is_found_verified_and_normalized_like_ours(outside):
    body = (EXAMPLE / "fixtures" / "delayed.json").read_bytes()
    code = f"BODY = {body!r}\nSIGNATURE = {hmac.digest(b'k', body, 'sha256').hex()!r}\n{USE}"
    ran = run(outside, "-c", code, cwd=outside)
    assert ran.stdout.split() == ["shipment.delayed", "acme:customer:c-7"], ran.stderr


def test_the_list_of_plugins_names_it_with_its_own_version(outside):
    ran = run(outside, "-c", "from hub.cli import main; main()", "plugins", "--json", cwd=outside)
    assert '"distribution": "acme-pulsehub"' in ran.stdout, ran.stderr


def test_its_own_tests_pass_with_the_kit_it_inherits(outside):
    ran = run(outside, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", ".", cwd=outside / "acme")
    assert ran.returncode == 0, ran.stdout
