import re

import pytest
from pydantic import SecretStr

from hub.sdk.errors import ConfigError
from hub.settings import Settings
from hub.web.listen import check_listen
from hub.web.proofs import SESSION_SECONDS, Proofs
from tests.web.conftest import Asker
from tests.web.serving import context

TOKEN = "correct horse battery staple"


@pytest.fixture
def locked(filled):
    settings = Settings(api_token=SecretStr(TOKEN), public_url="https://pulse.acme.test", host="0.0.0.0")  # noqa: S104
    return Asker(context(filled, settings=settings))


@pytest.fixture
def hands(site):
    site.context.deliveries.done.clear()
    return site.context.deliveries


def form_token(site, path="/deliveries", **more):
    return re.search(r'name="form_token" value="([0-9a-f]+)"', site.ask(path, **more).text)[1]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "pulse.acme.test"])  # noqa: S104
def test_another_address_needs_a_token_and_says_why(host):
    with pytest.raises(ConfigError, match=r"could read your customers' data.*PULSEHUB_API_TOKEN"):
        check_listen(Settings(host=host))
    check_listen(Settings(host=host, api_token=SecretStr(TOKEN)))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_this_machine_needs_no_token(host):
    check_listen(Settings(host=host))


def test_a_token_that_can_be_guessed_is_good_for_this_machine_only():
    check_listen(Settings(host="127.0.0.1", api_token=SecretStr("short")))
    with pytest.raises(ConfigError, match=r"PULSEHUB_API_TOKEN is short enough to be guessed.*openssl") as refused:
        check_listen(Settings(host="10.0.0.8", api_token=SecretStr("fifteen letters")))
    assert "fifteen" not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1:8420", "localhost", "[::1]:8420"])
def test_our_own_names_are_answered(site, host):
    assert site.ask("/", host=host).status_code == 200


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test", "localhost.evil.test:8420", "0.0.0.0"])  # noqa: S104
def test_a_name_that_was_bound_to_us_by_somebody_else_is_refused(site, host):
    answer = site.ask("/", host=host)
    assert answer.status_code == 421
    assert "PULSEHUB_PUBLIC_URL" in answer.text
    assert "Northwind" not in answer.text
    assert site.ask("/api/accounts", host=host).json()["code"] == "wrong_host"


def test_without_a_token_only_this_machine_is_answered(site):
    assert site.ask("/", client="192.168.1.7").status_code == 403
    assert site.ask("/", headers={"x-forwarded-for": "203.0.113.9"}).status_code == 403
    assert site.ask("/healthz", client="192.168.1.7").status_code == 200
    assert site.ask("/", client="::ffff:127.0.0.1").status_code == 200


def test_programs_send_the_token(locked):
    assert locked.ask("/api/accounts", client="192.168.1.7").status_code == 401
    assert locked.ask("/api/accounts", headers={"authorization": "Bearer wrong"}).json()["code"] == "token_needed"
    told = locked.ask("/api/accounts", client="192.168.1.7", headers={"authorization": f"Bearer {TOKEN}"})
    assert told.status_code == 200
    assert locked.ask("/metrics").status_code == 401


def test_probes_ask_by_address_and_for_numbers_with_the_token(locked, site):
    by_address = {"host": "10.0.0.8:8420", "client": "10.0.0.2"}
    token = {"authorization": f"Bearer {TOKEN}"}
    for path in ("/healthz", "/readyz"):
        assert locked.ask(path, **by_address).status_code == 200
    assert "pulsehub_events_received_total" in locked.ask("/metrics", **by_address, headers=token).text
    assert locked.ask("/metrics", **by_address).json()["code"] == "token_needed"
    assert locked.ask("/metrics", **by_address, headers={"authorization": "Bearer guess"}).status_code == 401
    assert locked.ask("/api/accounts", **by_address, headers=token).status_code == 421
    assert site.ask("/metrics", host="evil.test").status_code == 421  # a page that had its name lead to us


def test_people_sign_in_and_stay_signed_in(locked):
    asked = locked.ask("/deliveries?sink=email", client="192.168.1.7", host="pulse.acme.test")
    assert asked.status_code == 401
    assert 'name="next" value="/deliveries?sink=email"' in asked.text
    assert "Arrived" not in asked.text
    wrong = locked.ask("/login", "POST", data={"token": "guess"})
    assert wrong.status_code == 401
    assert "set-cookie" not in wrong.headers
    answer = locked.ask("/login", "POST", data={"token": TOKEN, "next": "/deliveries?sink=email"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/deliveries?sink=email")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" in cookie
    assert TOKEN not in cookie
    session = {"cookie": answer.headers["set-cookie"].split(";")[0]}
    assert locked.ask("/deliveries", headers=session).status_code == 200
    assert locked.ask("/api/accounts", headers=session).status_code == 200
    out = locked.ask("/logout", "POST", data={"form_token": form_token(locked, headers=session)}, headers=session)
    assert out.status_code == 303
    assert 'pulsehub=""' in out.headers["set-cookie"]


def test_a_link_from_elsewhere_is_asked_once_more_so_that_the_strict_cookie_comes_along(locked):
    page = locked.ask("/streams", headers={"sec-fetch-site": "cross-site"}).text
    assert '<meta http-equiv="refresh" content="0; url=/streams">' in page
    assert "http-equiv" not in locked.ask("/streams", headers={"sec-fetch-site": "same-origin"}).text


def test_signing_in_never_leads_away(locked):
    for away in ("https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)"):
        answer = locked.ask("/login", "POST", data={"token": TOKEN, "next": away})
        assert answer.headers["location"] == "/"


def test_a_session_ends_and_cannot_be_made_up():
    proofs = Proofs(TOKEN)
    cookie = proofs.cookie(1_000.0)
    assert proofs.is_session(cookie, 1_000.0 + SESSION_SECONDS - 1)
    assert not proofs.is_session(cookie, 1_000.0 + SESSION_SECONDS + 1)
    assert not proofs.is_session("9" + cookie, 1_000.0)
    assert not Proofs("another").is_session(cookie, 1_000.0)
    for made_up in ("", ".", "9999999999.", "9999999999.é", "٣.x"):
        assert not proofs.is_session(made_up, 0.0)


def test_a_form_from_another_site_changes_nothing(site, hands):
    token = form_token(site)
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.test"},
        {"origin": "null"},
    ):
        answer = site.ask("/deliveries/email/pause", "POST", data={"form_token": token}, headers=headers)
        assert answer.status_code == 403
    assert site.ask("/deliveries/email/pause", "POST", data={}).status_code == 403
    assert site.ask("/deliveries/email/pause", "POST", data={"form_token": "0" * 64}).status_code == 403
    assert hands.done == []


def test_our_own_forms_act(site, hands):
    token = {"form_token": form_token(site)}
    ours = {"origin": "http://127.0.0.1:8420", "sec-fetch-site": "same-origin"}
    for action in ("pause", "resume", "replay"):
        answer = site.ask(f"/deliveries/email/{action}", "POST", data=token, headers=ours)
        assert answer.status_code == 303
        assert 'role="status"' in site.ask(answer.headers["location"]).text
    assert hands.done == [("pause", "email"), ("resume", "email"), ("replay", "email")]
    assert site.ask("/deliveries/email/burn", "POST", data=token, headers=ours).status_code == 404
    assert "n=6" in site.ask("/dead-letters/replay", "POST", data=token, headers=ours).headers["location"]
    some = site.ask("/dead-letters/replay", "POST", data={**token, "connection": "stripe"}, headers=ours)
    assert "n=2" in some.headers["location"]


def test_an_oversized_form_is_refused(site):
    assert site.ask("/theme", "POST", data={"next": "x" * 70_000}).status_code == 413


def test_the_theme_is_remembered(site):
    answer = site.ask("/theme", "POST", data={"form_token": form_token(site), "theme": "dark", "next": "/streams"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/streams")
    cookie = answer.headers["set-cookie"].split(";")[0]
    assert 'data-theme="dark"' in site.ask("/streams", headers={"cookie": cookie}).text
    assert 'data-theme="auto"' in site.ask("/streams", headers={"cookie": 'theme="><script>'}).text


def test_everything_that_leaves_carries_the_security_headers(site):
    for path in ("/", "/nowhere", "/api/accounts", "/static/app.css", "/healthz", "/api/accounts?limit=0"):
        headers = site.ask(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'"), path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"


def test_pages_hold_no_inline_script_or_style(site, one):
    for path in ("/", f"/accounts/{one}", "/streams", "/deliveries", "/dead-letters", "/nowhere"):
        page = site.ask(path).text
        assert not re.search(r"<script(?![^>]*src=)", page), path
        assert "<style" not in page, path
        assert not re.search(r"<[^>]* style=", page), path
        assert not re.search(r"<[^>]* on[a-z]+=\"", page.replace("&#34;", "")), path


def test_a_failure_of_ours_is_said_in_plain_words_without_a_trace(filled, caplog):
    def broken(connection, account):
        raise RuntimeError("secret detail")

    site = Asker(context(filled, explain=broken))
    answer = site.ask(f"/accounts/{filled.ids[0]}")
    assert answer.status_code == 500
    assert "nothing that was received is lost" in answer.text
    assert "secret detail" not in answer.text
    assert answer.headers["content-security-policy"]
    assert site.ask(f"/api/accounts/{filled.ids[0]}").json()["code"] == "failed"
    assert [record.message for record in caplog.records] == ["web.failed", "web.failed"]


def test_what_a_program_posts_to_no_address_of_ours_is_refused_in_json(site):
    for path in ("/in", "/v1/batch"):  # a client of a vendor whose source is not configured
        answer = site.ask(path, "POST", content=b"{}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert site.ask("/in", "POST", headers={"accept": "text/html"}).headers["content-type"].startswith("text/html")
