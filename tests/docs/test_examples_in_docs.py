"""What the documentation shows is what is there."""

from __future__ import annotations

import inspect
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import get_args

import pytest
import yaml

import hub
from hub.sdk import hooks
from hub.sdk.experts import MOST_STATE
from hub.settings import SHORTEST_KEY
from hub.streams import topics
from hub.web.words import BAND_WORDS
from scoring.config import Measure
from scoring.experts.guests import A_CUSTOMER, PATIENCE
from scoring.loading import load
from scoring.model import fresh
from scoring.model import trust as trust_of
from tests.docs.pages import PAGES, ROOT, name_of


@pytest.mark.parametrize("name", ["acme_pulsehub.py", "test_acme.py"])
def test_the_connector_in_the_docs_is_the_one_that_is_tested(name):
    code = (ROOT / "examples" / "acme-connector" / name).read_text().rstrip()
    assert f"```python\n{code}\n```" in (ROOT / "docs" / "write-a-connector.md").read_text()


@pytest.mark.parametrize("name", ["acme_expert.py", "test_acme_expert.py"])
def test_the_expert_in_the_docs_is_the_one_that_is_tested(name):
    code = (ROOT / "examples" / "river-expert" / name).read_text().rstrip()
    assert f"```python\n{code}\n```" in (ROOT / "docs" / "write-an-expert.md").read_text()


def test_the_guide_to_experts_tells_their_bounds_as_they_are():
    guide = " ".join((ROOT / "docs" / "write-an-expert.md").read_text().split())
    assert f"at most {MOST_STATE // 1024} KiB" in guide
    assert (PATIENCE, A_CUSTOMER) == (3.0, 0.001)
    assert "longer than three seconds and a millisecond for each customer" in guide
    assert f"{SHORTEST_KEY} characters or more" in guide
    model = fresh(load())
    shares = [trust_of(load(), ["one"])["one"], sum(trust_of(load(), [f"e{n}" for n in range(9)]).values()) - 1.0]
    assert model.guests == {}
    assert [f"{share:.0%}" for share in shares] == ["5%", "20%"]
    assert "a share of 5 % (all experts of plugins together at most 20 %)" in guide


def test_every_name_the_door_offers_that_a_connector_needs_is_in_its_guide():
    guide = (ROOT / "docs" / "write-a-connector.md").read_text()
    needed = {"Event", "Raw", "Webhook", "Source", "VendorSettings", "Secrets", "hookimpl", "Ok", "Retry", "Reject"}
    needed |= {"Pending", "MalformedError", "BadSignatureError", "RetryLaterError", "CredentialsError"}
    assert needed <= set(hub.__all__)
    assert [name for name in needed if f"hub.{name}" not in guide] == []


def test_links_between_pages_lead_somewhere():
    broken = []
    for page in PAGES:
        for piece in page.read_text().split("](")[1:]:
            target = piece.split(")")[0].split("#")[0]
            if target and "://" not in target and not (page.parent / target).exists():
                broken.append(f"{name_of(page)} -> {target}")
    assert broken == []


def test_the_plugin_in_the_readme_is_the_one_that_is_tested():
    code = (ROOT / "examples" / "acme-connector" / "acme_pulsehub.py").read_text().rstrip()
    assert f"```python\n{code}\n```" in (ROOT / "README.md").read_text()
    written = [line for line in code.splitlines() if line.strip()]
    assert len(written) <= 40


def test_every_hook_is_in_the_guide():
    guide = (ROOT / "docs" / "write-a-connector.md").read_text()
    for name in (one for one in vars(hooks) if one.startswith("register_")):
        arguments = ", ".join(inspect.signature(getattr(hooks, name)).parameters)
        assert f"`{name}({arguments})`" in guide


def test_every_kind_of_event_is_explained_as_the_code_does():
    page = (ROOT / "docs" / "concepts.md").read_text()
    assert dict(re.findall(r"^\| `([a-z]+\.[a-z]+)` \| (.+?) \|$", page, re.MULTILINE)) == hub.KINDS


def test_every_family_of_measures_is_explained():
    page = (ROOT / "docs" / "concepts.md").read_text()
    families = get_args(Measure.model_fields["family"].annotation)
    table = "".join(line for line in page.splitlines(keepends=True) if line.startswith("| `"))
    assert [one for one in families if f"`{one}`" not in table] == []


def test_every_band_is_explained_to_those_who_read_it():
    page = (ROOT / "docs" / "users.md").read_text()
    begins = yaml.safe_load((ROOT / "scoring" / "defaults" / "scorecard.yaml").read_text())["bands"]
    assert set(BAND_WORDS) == set(get_args(hub.Band))
    for band, word in BAND_WORDS.items():
        assert f"| **{word}** | {f'from {begins[band]}' if band in begins else ''}" in page


def test_the_log_names_to_watch_are_written_by_the_code():
    page = (ROOT / "docs" / "operate.md").read_text()
    named = set(re.findall(r"`((?:streams|ingest|scoring|sinks|worker|web)\.(?!db)[a-z_]+)`", page))
    sources = [path.read_text() for room in ("hub", "scoring", "sinks") for path in (ROOT / room).rglob("*.py")]
    assert named
    assert [name for name in named if not any(f'"{name}"' in text for text in sources)] == []


def test_topics_and_the_days_they_are_kept_are_as_told():
    page = " ".join((ROOT / "docs" / "operate.md").read_text().split())
    told = re.search(r"The log keeps (.*?) for 7 days, (.*?) for 30;", page)
    for spec in topics.ALL:
        days = {7: told[1], 30: told[2]}[round(spec.retention / topics.DAY)]
        assert f"`{spec.name}`" in days


def test_pictures_in_the_docs_are_kept_in_the_repository():
    kept = (ROOT / "docs" / "images" / ".gitignore").read_text().split()
    rules = [rule.removeprefix("!") for rule in kept if rule.startswith("!")]
    shown = {Path(name).name for page in PAGES for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text())}
    assert shown
    assert [name for name in shown if not any(fnmatch(name, rule) for rule in rules)] == []


def test_headings_that_links_lead_to_are_there():
    missing = []
    for page in PAGES:
        for target, heading in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
            there = (page.parent / target) if target else page
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            if heading not in {re.sub(r"[^\w -]", "", one).strip().lower().replace(" ", "-") for one in headings}:
                missing.append(f"{name_of(page)} -> {target}#{heading}")
    assert missing == []
