from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage

import httpx
import pytest

from hub.demo.inbox import Inbox


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as opened:
        yield opened


def _mail(inbox: Inbox, subject: str, text: str = "hello\n", page: str = "", to: str = "dana@example.com") -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "hub@example.com", to, subject
    mail.set_content(text)
    if page:
        mail.add_alternative(page, subtype="html")
    host, _, port = inbox.smtp_url.removeprefix("smtp://").partition(":")
    with smtplib.SMTP(host, int(port)) as client:
        client.send_message(mail)


def test_what_is_sent_is_kept_in_order(inbox: Inbox) -> None:
    _mail(inbox, "first")
    _mail(inbox, "second", to="lee@example.com")
    assert [(m.number, m.subject, m.to) for m in inbox.mails] == [
        (1, "first", ("dana@example.com",)),
        (2, "second", ("lee@example.com",)),
    ]
    assert inbox.mails[0].part("plain") == "hello\n"


def test_the_page_lists_the_newest_first_and_says_what_will_appear_when_empty(inbox: Inbox) -> None:
    empty = httpx.get(inbox.url)
    assert "No mail yet" in empty.text
    _mail(inbox, "first")
    _mail(inbox, "second")
    page = httpx.get(inbox.url).text
    assert page.index("second") < page.index("first")
    assert "No mail yet" not in page


def test_a_mail_is_shown_with_both_its_parts(inbox: Inbox) -> None:
    _mail(inbox, "fell", text="the text part\n", page="<p>the page</p>")
    shown = httpx.get(f"{inbox.url}/mail/1").text
    assert "the text part" in shown
    assert 'src="/mail/1/html"' in shown
    assert "<p>the page</p>" in httpx.get(f"{inbox.url}/mail/1/html").text


def test_a_mail_without_a_page_has_no_frame(inbox: Inbox) -> None:
    _mail(inbox, "plain")
    assert "<iframe" not in httpx.get(f"{inbox.url}/mail/1").text


def test_what_a_mail_brings_along_may_do_nothing(inbox: Inbox) -> None:
    evil = "<script>alert(1)</script>"
    _mail(inbox, evil, text=evil, page=evil)
    for path in ("/", "/mail/1"):
        reply = httpx.get(inbox.url + path)
        assert evil not in reply.text
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert "script-src" not in reply.headers["content-security-policy"]
    framed = httpx.get(f"{inbox.url}/mail/1/html").headers["content-security-policy"]
    assert "sandbox" in framed
    assert "allow-scripts" not in framed
    assert "allow-same-origin" not in framed


def test_a_mail_that_is_not_there_is_not_found(inbox: Inbox) -> None:
    assert httpx.get(f"{inbox.url}/mail/1").status_code == 404
    assert httpx.get(f"{inbox.url}/mail/x").status_code == 404


def test_after_it_stopped_nothing_listens_and_what_came_can_be_read() -> None:
    with Inbox() as inbox:
        _mail(inbox, "kept")
        address = inbox.smtp_url
    assert [m.subject for m in inbox.mails] == ["kept"]
    host, _, port = address.removeprefix("smtp://").partition(":")
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP(host, int(port))


def test_a_mail_larger_than_it_keeps_is_refused(inbox: Inbox) -> None:
    with pytest.raises(smtplib.SMTPException):
        _mail(inbox, "big", text="x" * 2_100_000)
    assert inbox.mails == []
