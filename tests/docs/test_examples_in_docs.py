"""What the documentation shows is what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

import hub

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["acme_pulsehub.py", "test_acme.py"])
def test_the_connector_in_the_docs_is_the_one_that_is_tested(name):
    code = (ROOT / "examples" / "acme-connector" / name).read_text().rstrip()
    assert f"```python\n{code}\n```" in (ROOT / "docs" / "write-a-connector.md").read_text()


def test_every_name_the_door_offers_that_a_connector_needs_is_in_its_guide():
    guide = (ROOT / "docs" / "write-a-connector.md").read_text()
    needed = {"Event", "Raw", "Webhook", "Source", "VendorSettings", "Secrets", "hookimpl", "Ok", "Retry", "Reject"}
    needed |= {"Pending", "MalformedError", "BadSignatureError", "RetryLaterError", "CredentialsError"}
    assert needed <= set(hub.__all__)
    assert [name for name in needed if f"hub.{name}" not in guide] == []


def test_links_between_pages_lead_somewhere():
    broken = []
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for piece in page.read_text().split("](")[1:]:
            target = piece.split(")")[0].split("#")[0]
            if target and "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert broken == []
