"""The pages of a running hub in a real browser, while webhooks arrive."""

import re

import pytest

from tests.e2e.kit import post, until

pytestmark = pytest.mark.browser


def send(hub, told):
    for pings in told.values():
        for ping in pings:
            post(hub.url, ping)


@pytest.fixture
def northwind(hub):
    """A customer who is steady; where the portfolio lists it."""
    send(hub, hub.world.founding())
    until(lambda: hub.api.get("/api/accounts", params={"q": "northwind"}).json()["accounts"])
    return f"{hub.url}/?q=northwind"


def test_a_bad_hour_is_seen_as_it_happens_and_explained_a_click_away(browser, hub, northwind):
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(20_000)
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(northwind)
    row = page.locator(".customers tbody tr")
    row.filter(has_text="Northwind Logistics").filter(has_text="Steady").wait_for()
    page.wait_for_selector('[data-dot][data-state="live"]', state="attached")
    page.evaluate("window.here = 1")
    send(hub, hub.world.trouble())
    row.filter(has_text="At risk").wait_for()
    assert page.evaluate("window.here") == 1  # the page was not loaded anew

    row.get_by_role("link", name="Northwind Logistics").click()
    page.wait_for_url(re.compile(r"/accounts/acc_[0-9a-f]{20}"))
    page.get_by_text("9 urgent tickets open").first.wait_for()
    shown = page.locator("main").inner_text()
    for part in ("Northwind Logistics", "At risk", "Mira Solberg", "no sign of use for 21 days"):
        assert part in shown
    page.goto(re.sub(r"[?#].*", "", page.url) + "?tab=timeline")
    page.get_by_text("Nothing loads since this morning.").first.wait_for()
    page.goto(re.sub(r"[?#].*", "", page.url) + "?tab=deliveries")
    page.get_by_text("salesforce").first.wait_for()
    assert complaints == []
    page.close()


def test_the_other_pages_of_a_hub_that_works_load_without_complaint(browser, hub):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for path, says in (("/streams", "segment"), ("/deliveries", "salesforce"), ("/dead-letters", "")):
        assert page.goto(hub.url + path).status == 200
        assert says in page.locator("main").inner_text().lower()
    assert complaints == []
    page.close()
