"""The pages in a real browser: what people see, press and hear."""

import contextlib
import json
import re
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from hub.settings import Settings
from hub.store import schema
from hub.web.processes import halts
from tests.web import companies
from tests.web.serving import in_trouble, many, process, processes, running

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-web")]

SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shifts.push(entry.value); })
  .observe({ type: "layout-shift", buffered: true });
"""

OVER = """() => [...document.querySelectorAll("main *")].filter((e) => {
  const box = e.getBoundingClientRect();
  return box.right > innerWidth + 1 && box.width && !e.closest(".scroll, .tabs, pre, svg, .hear");
}).map((e) => e.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def face(browser):
    with running() as (url, context, ids):
        yield url, context, ids


@contextlib.contextmanager
def opened(browser, *, width=1440, height=900, **options):
    """A page whose every complaint is collected in `page.complaints`."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.set_default_timeout(20_000)
    yield page
    context.close()


def paths(ids):
    one = f"/accounts/{ids[0]}"
    return [
        "/",
        "/?band=watch",
        *(f"{one}?tab={tab}" for tab in ("timeline", "measures", "people", "things", "deliveries", "ledger")),
        f"/accounts/{ids[-1]}",
        f"{one}/moved?since=30d",
        f"{one}/what-if?to=80&m.urgent_tickets=0&events=meeting.held",
        f"/accounts/{ids[-1]}/moved?since=90d",
        "/moved?since=7d",
        "/moved?since=90d",
        "/models",
        "/scorecard",
        "/streams",
        "/deliveries",
        "/dead-letters",
        "/dead-letters/stripe%2Fevents:3:4",
    ]


def live(page):
    page.wait_for_selector('[data-dot][data-state="live"]', state="attached")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_wrong(browser, face, theme):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - only where there is a browser

    url, _, ids = face
    with opened(browser, color_scheme=theme, bypass_csp=True) as page:
        one = f"/accounts/{ids[0]}"
        # every kind of page, with few rows: what is wrong in one is wrong in fifty, and quicker to find
        few = [
            "/?band=watch",
            f"{one}?about=billing",
            f"{one}?tab=things",
            f"{one}?tab=people",
            f"{one}/moved?since=90d&until=someday",
            f"{one}/what-if?to=80&m.urgent_tickets=0",
            f"{one}/what-if?to=100&m.nps=-1",
            "/moved?since=7d&where=owner%3Dnobody",
            "/models",
            "/scorecard",
            "/streams",
            "/dead-letters",
            "/deliveries?outcome=failed",
            "/dead-letters/stripe%2Fevents:3:4",
            "/nowhere",
        ]
        for path in few:
            page.goto(url + path)
            # in the dark only colors differ
            rules = {"runOnly": {"type": "rule", "values": ["color-contrast"]}} if theme == "dark" else None
            found = Axe().run(page, options=rules).response["violations"]
            told = [(one["id"], one["impact"], one["nodes"][0]["html"][:200]) for one in found]
            assert told == [], path


def test_axe_finds_nothing_wrong_with_the_track_record_and_nothing_runs_over_the_side(browser):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - only where there is a browser

    with running(taught=True) as (url, _, _):
        for theme, width in (("light", 1440), ("dark", 1440), ("light", 390)):
            with opened(browser, color_scheme=theme, width=width, bypass_csp=True) as page:
                page.goto(url + "/models")
                assert page.locator("[aria-labelledby=experts-title] tbody tr").count() == 5
                assert page.locator("[aria-labelledby=segments-title] tbody tr").count() == 3
                for one in page.locator("summary").all():
                    one.click()
                found = Axe().run(page).response["violations"]
                assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == [], (theme, width)
                assert page.evaluate(OVER) == []
        with opened(browser) as page:
            page.goto(url + "/models")
            page.get_by_role("link", name="Top 50").click()
            assert "Of the 50 customers" in page.locator(".quote").inner_text()
            page.get_by_role("spinbutton").fill("7")
            page.keyboard.press("Enter")
            page.wait_for_url("**top=7")
            assert "Of the 7 customers" in page.locator(".quote").inner_text()
            assert page.complaints == []


SCORECARD = "textarea[name=scorecard]"


def typed(page, old, new):
    """Change the scorecard's text as somebody types, and wait for what comes of it."""
    box = page.locator(SCORECARD)
    with page.expect_response("**/scorecard"):
        box.fill(box.input_value().replace(old, new, 1))
    page.wait_for_selector('[data-result][aria-busy="false"]')


def test_a_draft_is_judged_while_it_is_typed(browser, face):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - only where there is a browser

    url, _, _ = face
    with opened(browser, bypass_csp=True) as page:
        page.goto(url + "/scorecard")
        weight = page.get_by_label("Adoption", exact=True)
        with page.expect_response("**/scorecard"):
            weight.fill("1")
        page.wait_for_selector(".migration")
        assert "would be in another band" in page.locator("[data-said]").inner_text()
        assert "  - name: adoption\n    weight: 1\n" in page.locator(SCORECARD).input_value()
        assert page.locator('[data-share="adoption"]').inner_text() == "12 %"
        assert page.evaluate("document.activeElement.id") == "w-adoption"  # nobody is torn away from where he types
        slide = page.locator('[data-for="w-support"]')
        with page.expect_response("**/scorecard"):
            slide.evaluate("(one) => { one.value = 9; one.dispatchEvent(new Event('input', {bubbles: true})); }")
        page.wait_for_function("document.querySelector('textarea[name=scorecard]').value.includes('weight: 9')")
        assert page.get_by_label("Support", exact=True).input_value() == "9"
        assert Axe().run(page).response["violations"] == []
        typed(page, "measure: usage_trend", "measure: usage_trendd")
        page.wait_for_selector(".problems")
        assert "write usage_trend" in page.locator(".problems").inner_text()
        assert Axe().run(page).response["violations"] == []
        page.locator(".problems code.there").click()
        chosen = (
            "(() => { const t = document.activeElement; return t.value.slice(t.selectionStart, t.selectionEnd); })()"
        )
        assert "usage_trendd" in page.evaluate(chosen)
        typed(page, "usage_trendd", "usage_trend")
        page.wait_for_selector(".migration")
        page.goto(url + "/scorecard")
        page.get_by_role("button", name="Go on with it").click()
        page.wait_for_selector(".migration")
        assert "weight: 9" in page.locator(SCORECARD).input_value()
        assert page.complaints == []


def test_a_draft_is_judged_without_scripts_and_can_be_taken_home(browser, face):
    url, _, _ = face
    with opened(browser, java_script_enabled=False) as page:
        page.goto(url + "/scorecard")
        page.get_by_label("Adoption", exact=True).fill("1")
        page.get_by_role("button", name="Show who would move").click()
        assert "would be in another band" in page.locator("[data-result]").inner_text()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download scorecard.yaml").click()
        assert "weight: 1\n    measures:\n      - {measure: usage_trend" in Path(download.value.path()).read_text()


def test_a_draft_is_replayed_and_the_page_tells_how_far_it_is(browser):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - only where there is a browser

    with running(number=12) as (url, _, _), opened(browser, bypass_csp=True) as page:
        page.set_default_timeout(60_000)
        page.goto(url + "/scorecard")
        with page.expect_response("**/scorecard"):
            page.get_by_label("Adoption", exact=True).fill("9")
        page.get_by_label("looking").select_option("14d")
        page.get_by_role("button", name="Replay the past").click()
        page.wait_for_url("**/scorecard/backtests/*")
        where = page.url
        page.wait_for_selector(".migration")  # it came by itself
        for theme, width in (("light", 1440), ("dark", 1440), ("light", 390)):
            with opened(browser, color_scheme=theme, width=width, bypass_csp=True) as other:
                other.goto(where)
                other.locator("summary").first.click()
                found = Axe().run(other).response["violations"]
                assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == [], (theme, width)
                assert other.evaluate(OVER) == []
        assert page.complaints == []
        page.get_by_role("link", name="Go on with this draft").click()
        assert "weight: 9" in page.locator(SCORECARD).input_value()
        assert page.get_by_role("button", name="Go on with it").count() == 0


@pytest.mark.parametrize("width", [390, 768])
def test_a_judged_draft_does_not_run_over_the_side(browser, face, width):
    url, _, _ = face
    with opened(browser, width=width, height=844) as page:
        page.goto(url + "/scorecard")
        typed(page, "weight: 4", "weight: 1")
        page.wait_for_selector(".migration")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(OVER) == []
        typed(page, "weight: 1", "a long line that is wrong " * 20)
        page.wait_for_selector(".problems")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(OVER) == []


def test_axe_finds_nothing_wrong_with_many_processes_and_nothing_runs_over_the_side(browser):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - only where there is a browser

    with running(**many(processes=in_trouble, halted=lambda: halts(in_trouble()))) as (url, _, _):
        for theme, width in (("light", 1440), ("dark", 1440), ("light", 390)):
            with opened(browser, color_scheme=theme, width=width, bypass_csp=True) as page:
                page.goto(url + "/streams")
                found = Axe().run(page).response["violations"]
                assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == [], (theme, width)
                assert page.evaluate(OVER) == []


@pytest.mark.parametrize("width", [390, 768])
def test_nothing_runs_over_the_side_of_a_small_screen(browser, face, width):
    url, _, ids = face
    with opened(browser, width=width, height=844) as page:
        for path in [*paths(ids), "/nowhere"]:
            page.goto(url + path)
            assert page.evaluate("document.documentElement.scrollWidth") == width, path
            assert page.evaluate(OVER) == [], path


def test_pages_load_without_a_complaint_and_hostile_names_stay_text(browser, face):
    url, _, ids = face
    with opened(browser) as page:
        page.add_init_script("addEventListener('securitypolicyviolation', (e) => console.error(e.violatedDirective))")
        for path in paths(ids):
            page.goto(url + path)
            if page.locator("[data-dot]").count():
                live(page)
            assert page.evaluate("window.hacked") is None, path
        page.goto(url + "/?q=script")
        assert companies.HOSTILE in page.locator(".customers").inner_text()
        assert page.complaints == []


def test_what_happens_arrives_by_itself_and_moves_nothing(browser):
    with running() as (url, context, ids), opened(browser) as page:
        page.add_init_script(SHIFTS)
        page.goto(f"{url}/?q=northwind")
        live(page)
        was = page.locator(".customers .scored b").inner_text()
        page.evaluate("window.here = 1")

        def fall(connection):
            connection.execute(
                update(schema.accounts).where(schema.accounts.c.id == ids[0]).values(health=7.0, band="at_risk")
            )

        context.database.write(fall).result()
        context.live.publish("health", {"accounts": [ids[0]]})
        page.locator(".customers .scored b", has_text=re.compile("^7$")).wait_for()
        assert was != "7"
        assert "At risk" in page.locator(".customers tbody").inner_text()
        assert page.evaluate("window.here") == 1  # the page was not loaded anew
        assert sum(page.evaluate("window.shifts")) < 0.005  # a figure beside a longer one; 0.1 is what people notice
        assert page.complaints == []


def test_a_process_that_dies_or_is_taken_over_is_told_to_whoever_looks(browser):
    living = processes()
    with running(**many(processes=lambda: list(living))) as (url, context, _), opened(browser) as page:
        page.goto(url + "/streams")
        live(page)
        living[-1] = living[-1]._replace(age=300.0)  # killed: it sends no news, the page looks by itself
        page.wait_for_selector('.processes .silent:has-text("worker-ccc")')
        page.wait_for_selector(".halt:has-text('Nobody holds 21 of 64 partitions of')")
        heir = dict(living[-1].state["rooms"])
        living.append(process("worker-new", "worker", heir))
        context.live.publish("streams", {})
        page.wait_for_selector('.processes .well:has-text("worker-new")')
        page.wait_for_selector(".halt", state="detached")
        assert page.complaints == []


def test_a_page_finds_its_way_back_after_the_server_was_away(browser, face):
    url, _, _ = face
    with opened(browser) as page:
        page.goto(url)
        live(page)
        page.context.set_offline(True)
        page.evaluate("dispatchEvent(new Event('pagehide')); dispatchEvent(new Event('pageshow'))")
        page.wait_for_selector('[data-dot][data-state="lost"]')
        assert page.locator("[data-dot]").inner_text() == "Reconnecting"
        page.context.set_offline(False)
        live(page)


def test_the_first_customer_fills_the_empty_page(browser):
    with running(full=False) as (url, context, _), opened(browser) as page:
        page.goto(url)
        live(page)
        assert "No customers yet" in page.inner_text("main")
        companies.fill(context.database, number=3)
        context.live.publish("health", {"accounts": []})
        page.wait_for_selector(".customers tbody tr")


def test_everything_is_reached_by_keyboard(browser, face):
    url, _, ids = face
    with opened(browser) as page:
        page.goto(url)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        assert page.evaluate("document.activeElement.matches('main tbody a')")
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.name") == "q"
        page.keyboard.press("Control+k")
        page.wait_for_selector("#palette[open]")
        page.keyboard.type("northwi")
        page.locator("#palette-list a:first-child", has_text="Northwind").wait_for()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/accounts/{ids[0]}")
        page.keyboard.press("Control+k")
        page.keyboard.type("dead")
        page.locator("#palette-list a:first-child", has_text="Dead letters").wait_for()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        page.wait_for_url("**/dead-letters")
        page.keyboard.press("Control+k")
        page.keyboard.press("Escape")
        assert page.locator("#palette[open]").count() == 0
        assert page.complaints == []


def test_focus_can_be_seen(browser, face):
    url, _, _ = face
    with opened(browser) as page:
        page.goto(url)
        page.keyboard.press("Tab")
        for _ in range(12):
            page.keyboard.press("Tab")
            seen = page.evaluate(
                """() => { const e = document.activeElement;
                const seen = (one) => getComputedStyle(one).outlineStyle !== "none";
                return seen(e) || seen(e.closest("tr") || e) || e.tagName === "BODY"; }"""
            )
            assert seen, page.evaluate("document.activeElement.outerHTML")


def test_the_theme_follows_the_system_until_somebody_chooses(browser, face):
    url, _, _ = face
    ground = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, color_scheme="dark") as page:
        page.goto(url)
        dark = page.evaluate(ground)
        page.get_by_role("button", name="Light theme").click()
        light = page.evaluate(ground)
        assert dark != light
        page.goto(f"{url}/streams")
        assert page.evaluate(ground) == light
        page.get_by_role("button", name="Theme of the system").click()
        assert page.evaluate(ground) == dark


def test_it_all_works_without_javascript(browser, face):
    url, context, _ = face
    with opened(browser, java_script_enabled=False) as page:
        page.goto(url)
        page.get_by_role("searchbox", name="Search customers").fill("northwind")
        page.keyboard.press("Enter")
        page.wait_for_url("**/?q=northwind*")
        page.get_by_role("link", name="Northwind Traders").first.click()
        page.get_by_role("link", name="Ledger", exact=True).click()
        assert page.locator(".ledger tbody tr").count() == 40
        page.get_by_role("button", name="Dark theme").click()
        assert page.locator("html").get_attribute("data-theme") == "dark"
        page.goto(f"{url}/deliveries")
        page.get_by_role("button", name="Pause salesforce").click()
        assert "Paused. What it should show is kept" in page.inner_text("main")
        assert ("pause", "salesforce") in context.deliveries.done


def test_people_sign_in_once(browser):
    settings = Settings(api_token=SecretStr("a long secret"))
    with running(settings=settings) as (url, _, _ids), opened(browser) as page:
        page.goto(f"{url}/streams")
        page.get_by_label("Token of this installation").fill("guess")
        page.get_by_role("button", name="Sign in").click()
        assert "That is not the token" in page.inner_text("main")
        page.get_by_label("Token of this installation").fill("a long secret")
        page.get_by_role("button", name="Sign in").click()
        page.goto(f"{url}/deliveries")
        live(page)
        page.get_by_role("button", name="Sign out").click()
        page.goto(url)
        assert page.get_by_role("button", name="Sign in").count() == 1


def test_a_marks_link_leads_to_its_row_of_the_ledger(browser, face):
    url, _, ids = face
    with opened(browser) as page:
        page.goto(f"{url}/accounts/{ids[0]}")
        page.locator(".marks a").last.click()
        page.wait_for_url("**tab=ledger**")
        assert page.locator("tr:target").count() == 1


def test_twenty_open_pages_do_not_stop_the_server_from_stopping():
    before = threading.active_count()
    with running() as (url, _, _ids):
        streams = [urllib.request.urlopen(f"{url}/live?page=/") for _ in range(20)]  # noqa: S310 - our own address
        assert all(stream.readline().startswith(b"retry") for stream in streams)
    for stream in streams:
        stream.close()
    assert threading.active_count() - before < 90


def events(stream):
    """Names and data of server-sent events."""
    name, data = "", {}
    for line in stream:
        if line.startswith(b"event: "):
            name = line[7:].strip().decode()
        elif line.startswith(b"data: "):
            data = json.loads(line[6:])
        elif name:
            yield name, data
            name = ""


def look(stream):
    """Names of the parts sent by the server's next look at the page."""
    names = []
    for name, data in stream:
        if name == "seen":
            return names
        names.append(data["name"])
    return None


def set_owner(context, account, owner):
    change = update(schema.profiles).where(schema.profiles.c.account == account).values(owner=owner)
    context.database.write(lambda connection: connection.execute(change)).result()


def test_the_live_stream_sends_what_changed_and_nothing_else():
    with running() as (url, context, ids):
        address = f"{url}/live?page=/%3Fq=northwind"
        with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310 - our own address
            stream = events(answer)
            assert look(stream) == ["figures", "spread", "movers", "customers"]
            set_owner(context, ids[0], "Nobody Else")
            context.live.publish("dead_letters", {})  # concerns another page
            context.live.publish("health", {"accounts": [ids[0]]})
            assert look(stream) == ["customers"]


def test_a_page_is_looked_at_once_more_when_it_has_become_quiet():
    with running() as (url, context, ids):
        address = f"{url}/live?page=/%3Fq=northwind"
        with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310 - our own address
            stream = events(answer)
            look(stream)
            context.live.publish("health", {"accounts": [ids[0]]})
            assert look(stream) == []
            set_owner(context, ids[0], "Too Late")  # nothing tells of it: the first look had missed it
            begun = time.monotonic()
            assert look(stream) == ["customers"]
            assert time.monotonic() - begun < 15  # not the half minute of an idle page


def test_what_if_is_shown_while_one_types_and_the_address_keeps_it(browser, face):
    url, _, ids = face
    with opened(browser) as page:
        page.goto(f"{url}/accounts/{ids[0]}/what-if")
        result = page.locator("[data-result]")
        before = page.locator(".supposed .big").inner_text()
        page.get_by_label("Urgent tickets open").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        result.filter(has_text="No urgent tickets open").wait_for()
        assert int(page.locator(".supposed .big").inner_text()) > int(before)
        assert page.url.endswith("?m.urgent_tickets=0")
        page.get_by_label("What would happen").fill("meeting.vanished")
        result.filter(has_text="changes no measure").wait_for()
        page.get_by_label("What would happen").fill("meeting.held")
        result.filter(has_text="Met today").wait_for()
        page.reload()
        assert page.get_by_label("Urgent tickets open").input_value() == "0"
        assert "Met today" in result.inner_text()
        page.get_by_role("link", name="As it is").click()
        assert page.locator(".supposed .big").inner_text() == before
        refused = [text for text in page.complaints if "400" not in text]  # the browser tells of what was refused
        assert refused == []


def test_what_if_and_why_work_without_a_script(browser, face):
    url, _, ids = face
    with opened(browser, java_script_enabled=False) as page:
        page.goto(f"{url}/accounts/{ids[0]}/what-if?to=80")
        page.get_by_role("link", name="Try it below").first.click()
        assert int(page.locator(".supposed .big").inner_text()) >= 80
        page.get_by_label("What would happen").fill("meeting.held")
        page.get_by_role("button", name="Show what comes of it").click()
        assert "Met today" in page.locator("[data-result]").inner_text()
        page.goto(f"{url}/moved")
        page.get_by_label("From").fill("2026-08-15")
        page.get_by_role("button", name="Show").click()
        assert "since=2026-08-15" in page.url
        page.locator(".who-moved a").first.click()
        assert "Health after" in page.locator("main").inner_text()
