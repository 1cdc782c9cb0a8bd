"""docs/settings.md is what the settings say, and no page names a setting that is not there."""

import re

import pytest

from tests.docs import settings_page
from tests.docs.pages import PAGES, ROOT, name_of

ELSEWHERE = {
    "PULSEHUB_CONFIG",  # names the file itself
    "PULSEHUB_ACME_SIGNING_SECRET",  # of the example
    *("PULSEHUB_TEST_BROKER", "PULSEHUB_TEST_DATABASE", "PULSEHUB_TEST_REDIS"),  # what `make servers` writes
}


def test_the_settings_page_is_up_to_date():
    assert settings_page.PAGE.read_text() == settings_page.page(), "python -m tests.docs.settings_page --write"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_names_only_settings_that_there_are(page):
    named = set(re.findall(r"PULSEHUB_[A-Z_]*[A-Z](?![A-Z_*<])", page.read_text()))
    assert named - settings_page.names() - ELSEWHERE == set()


@pytest.mark.parametrize("name", ["salesforce", "zendesk", "stripe", "segment"])
def test_a_vendors_page_tells_all_of_its_settings(name):
    text = (ROOT / "plugins" / name / "README.md").read_text()
    prefix = f"PULSEHUB_{name.upper()}_"
    mine = [one for one in settings_page.names() if one.startswith(prefix)]
    assert [one for one in mine if one not in text and f"`_{one.removeprefix(prefix)}`" not in text] == []


@pytest.mark.parametrize("name", ["salesforce", "zendesk", "stripe", "segment"])
def test_vendors_pages_have_the_same_sections(name):
    text = (ROOT / "plugins" / name / "README.md").read_text()
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    writes = (ROOT / "plugins" / name / "sink.py").exists()
    assert sections == ["Listen", *(["Write"] if writes else []), "Settings", "Good to know", "Sandbox"]
