"""`python -m tests.web.screenshots [folder] [--whole]`: every page at two widths and both themes, full and empty.

As a screen shows them; with `--whole` down to their end. The few that the documentation shows are kept in the
repository, see `docs/images/.gitignore`.
"""

import sys
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import sync_playwright

from hub.web.processes import halts
from tests.web.serving import HALTED, in_trouble, many, running

CHROMIUM = "/usr/bin/chromium"
LAUNCH = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDTHS = {"wide": (1440, 900), "phone": (390, 844)}
THEMES = ("light", "dark")


def pages(ids):
    """Name -> path of everything worth looking at."""
    one = f"/accounts/{quote(ids[0])}" if ids else ""
    full = {
        "portfolio-watch": "/?band=watch&sort=-mrr",
        "portfolio-nothing-found": "/?q=nobody",
        "account": one,
        "account-measures": f"{one}?tab=measures",
        "account-people": f"{one}?tab=people",
        "account-things": f"{one}?tab=things",
        "account-deliveries": f"{one}?tab=deliveries",
        "account-ledger": f"{one}?tab=ledger",
        "account-moved": f"{one}/moved?since=30d",
        "account-what-if": f"{one}/what-if?m.urgent_tickets=0&events=meeting.held",
        "moved": "/moved?since=7d",
        "account-hostile": f"/accounts/{quote(ids[-1])}" if ids else "",
        "dead-letter": f"/dead-letters/{quote('stripe/events:3:4', safe='')}",
    }
    common = {
        "portfolio": "/",
        "models": "/models",
        "scorecard": "/scorecard",
        "streams": "/streams",
        "deliveries": "/deliveries",
        "dead-letters": "/dead-letters",
    }
    return {**common, "not-found": "/nowhere", **(full if ids else {})}


def shoot(browser, url, found, folder, state, *, whole):
    """Photograph these pages."""
    for width, (w, h) in WIDTHS.items():
        for theme in THEMES:
            context = browser.new_context(viewport={"width": w, "height": h}, color_scheme=theme)
            page = context.new_page()
            for name, path in found.items():
                page.goto(url + path)
                if page.locator("[data-dot]").count():
                    page.wait_for_selector('[data-dot][data-state="live"]')
                page.screenshot(path=folder / f"{name}-{state}-{width}-{theme}.png", full_page=whole)
            context.close()


def main(folder, *, whole):
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=LAUNCH)
        with running() as (url, _, ids):
            shoot(browser, url, pages(ids), folder, "full", whole=whole)
        with running(taught=True) as (url, _, ids):
            shoot(browser, url, {"models": "/models"}, folder, "taught", whole=whole)
        with running(halted=lambda: [HALTED]) as (url, _, _ids):
            shoot(browser, url, {"streams": "/streams"}, folder, "halted", whole=whole)
        with running(**many()) as (url, _, _ids):
            shoot(browser, url, {"streams": "/streams"}, folder, "many", whole=whole)
        with running(**many(processes=in_trouble, halted=lambda: halts(in_trouble()))) as (url, _, _ids):
            shoot(browser, url, {"streams": "/streams"}, folder, "trouble", whole=whole)
        with running(full=False) as (url, _, ids):
            shoot(browser, url, pages(ids), folder, "empty", whole=whole)
        browser.close()


if __name__ == "__main__":
    named = [argument for argument in sys.argv[1:] if argument != "--whole"]
    main(Path(named[0] if named else "docs/images"), whole="--whole" in sys.argv)
