from __future__ import annotations

import asyncio
import html.parser
import smtplib
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

import hub
from hub.demo.inbox import Inbox, Mail
from sinks.alerts_queue import parts
from sinks.email.settings import EmailSettings, is_address
from sinks.email.sink import Email
from tests.sinks.kit import NOW, action, health

DRIVERS = [
    hub.Driver("open_urgent_tickets", "3 urgent tickets open", -14.2, "support"),
    hub.Driver("idle_days", "no login for 12 days", -11.4, "adoption"),
    hub.Driver("failed", "2 payments failed in 30 days", -7.1, "billing"),
    hub.Driver("paid", "paid 12 invoices in a row", 6.3, "billing"),
    hub.Driver("met", "met us 4 days ago", 0.2, "relationship"),
]
FELL = health("acc_1", 41.2, "at_risk", was=58.0, was_band="watch", drivers=DRIVERS, rest=-2.6)


@pytest.fixture(scope="module")
def inbox() -> Iterator[Inbox]:
    with Inbox() as opened:
        yield opened


def _email(url: str, **more: str) -> Email:
    given = {"PULSEHUB_SMTP_URL": url, "PULSEHUB_MAIL_FROM": "Pulsehub <health@hub.example>", **more}
    settings = EmailSettings.read({"PULSEHUB_PUBLIC_URL": "https://hub.example/", **given})
    assert settings
    return Email(settings, clock=lambda: NOW)


def _delivery(sink: Email, key: str = "alert:acc_1:at_risk:7", **more: Any) -> hub.Delivery:
    alert = action(key, **{"health": FELL, **more})
    target = sink.target(alert.to)
    return hub.Delivery(key=key, account=alert.account, target=target or "", fields=parts(alert), health=alert.health)


def _send(inbox: Inbox, **more: Any) -> Mail:
    sink = _email(inbox.smtp_url)
    assert asyncio.run(sink.push([_delivery(sink, **more)])) == [hub.Ok()]
    return inbox.mails[-1]


class _Page(html.parser.HTMLParser):
    """What a mail program sees: tags, links, and the text between."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        self._inside.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        self._inside.append("/" + tag)

    def handle_data(self, data: str) -> None:
        if not self._inside or self._inside[-1] not in {"style", "title"}:
            self.text += " " + data


def test_the_subject_says_it_all(inbox: Inbox) -> None:
    mail = _send(inbox)
    assert mail.subject == "Northwind fell to 41 (at risk): 3 urgent tickets open, no login for 12 days"
    assert mail.to == ("dana@example.com",)
    assert str(mail.message["To"]) == "dana@example.com"
    assert str(mail.message["From"]) == "Pulsehub <health@hub.example>"


def test_both_parts_say_the_same_and_lead_to_the_account(inbox: Inbox) -> None:
    mail = _send(inbox)
    text, page = mail.part("plain"), _Page(mail.part("html"))
    said = [
        "Northwind needs you",
        "41",
        "58 (watch)",
        "1 March 2026, 10:00 UTC",
        "30 %",
        "3 urgent tickets open",
        "−14",
        "paid 12 invoices in a row",
        "+6",
        "$4,200 a month",
        "Dana Reyes",
        "1 May 2026, in 61 days",
        "because Northwind is yours",
    ]
    for part in (text, " ".join(page.text.split())):
        assert [one for one in said if one not in part] == []
        assert "met us 4 days ago" not in part  # +0: part of everything else
    assert page.links == ["https://hub.example/accounts/acc_1"]
    assert "https://hub.example/accounts/acc_1\n" in text


def test_the_points_a_reader_adds_up_make_the_health_at_the_foot(inbox: Inbox) -> None:
    text = _send(inbox).part("plain")
    column = [line.split()[0].replace("−", "-") for line in text.splitlines() if line.startswith("  ")]
    *shares, foot = [int(number) for number in column]
    assert sum(shares) == foot == 41


def test_headers_let_programs_recognize_it(inbox: Inbox) -> None:
    first, again, other = _send(inbox), _send(inbox), _send(inbox, key="alert:acc_1:at_risk:8")
    assert first.message["Message-ID"] == again.message["Message-ID"] != other.message["Message-ID"]
    assert first.message["Message-ID"].endswith("@hub.example>")
    assert first.message["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(first.message["Date"]).timestamp() == NOW


def test_a_recovery_says_so(inbox: Inbox) -> None:
    well = health("acc_1", 66.0, "steady", was=44.0, was_band="at_risk", drivers=DRIVERS)
    mail = _send(inbox, kind="band_recovered", health=well)
    assert mail.subject == "Northwind recovered to 66 (steady): paid 12 invoices in a row, met us 4 days ago"
    assert "Northwind has recovered" in mail.part("html")
    assert "each time a customer recovers" in mail.part("plain")


def test_of_whom_little_is_known_little_is_said(inbox: Inbox) -> None:
    bare = health("acc_1", 41.0, "at_risk", drivers=[])
    mail = _send(inbox, health=bare, facts={"renewal_on": "soon", "mrr": None}, name="")
    assert mail.subject == "A customer without a name fell to 41 (at risk)"
    for part in (mail.part("plain"), mail.part("html")):
        for absent in ("Was", "Revenue", "Renewal", "Owner", "None", "pulls it down"):
            assert absent not in part


HOSTILE = [
    'Evil\r\nBcc: everybody@example.com\r\n\r\n<script>alert(1)</script>"&',
    "<img src=x onerror=alert(1)> & Søns ",
    "\u202egnp.exe\u202c {{ 7 * 7 }} {% raw %}",
    "=?utf-8?q?Bcc=3A_x?=\x00\x0b\x85\u2028tail",
    "株式会社 🚀 Größe ﷽" * 30,
    "\ud83d lone",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_customer_is_called_it_stays_a_name(inbox: Inbox, name: str) -> None:
    drivers = [hub.Driver("x", f"{name} tickets", -20.0, "support")]
    worse = health("acc_1", 41.0, "at_risk", drivers=drivers)
    mail = _send(
        inbox, name=name, health=worse, facts={"owner": name, "currency": name, "mrr": 5.0, "renewal_on": name}
    )
    assert mail.to == ("dana@example.com",)
    assert mail.message["Bcc"] is None
    assert len(mail.message.get_all("Subject")) == 1
    assert all(ord(c) >= 32 for c in mail.subject)
    assert not {"\u202e", "\u2028", "\x85"} & set(mail.part("plain") + mail.part("html"))
    page = _Page(mail.part("html"))
    assert not {"script", "img"} & set(page.tags)
    assert page.links == ["https://hub.example/accounts/acc_1"]
    assert "49" not in mail.subject


@pytest.mark.parametrize(
    "to",
    [
        "dana@example.com\r\nBcc: x@example.com",
        "dana@example.com, x@example.com",
        "Dana <dana@example.com>",
        "dana",
        "@example.com",
        "dana@",
        "a b@example.com",
        "",
        "dana@example.com\x00",
        "x" * 65 + "@example.com",
        "größe@example.com",
    ],
)
def test_what_is_not_one_address_is_nobody(to: str) -> None:
    assert not is_address(to)
    assert _email("smtp://localhost").target([to]) is None


def test_mail_to_nobody_is_rejected_and_goes_nowhere(inbox: Inbox) -> None:
    before = len(inbox.mails)
    sink = _email(inbox.smtp_url)
    assert asyncio.run(sink.push([_delivery(sink, to=["dana"])])) == [hub.Reject("nobody to send it to")]
    assert len(inbox.mails) == before


def test_several_addressees_get_one_mail_and_nobody_twice(inbox: Inbox) -> None:
    mail = _send(inbox, to=["dana@example.com", "lee@example.com", "dana@example.com"])
    assert mail.to == ("dana@example.com", "lee@example.com")


class _Moody:
    """An SMTP server that says what it is told to."""

    def __init__(self, **says: str) -> None:
        self.says = says
        self.kept: list[bytes] = []

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's own shape
        if "mail" in self.says:
            return self.says["mail"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's own shape
        if address.partition("@")[0] in self.says:
            return self.says[address.partition("@")[0]]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's own name
        if self.says.get("data") == "hang up":
            server.transport.close()
            return "250 OK"
        if not self.says.get("data"):
            self.kept.append(envelope.content)
        return self.says.get("data", "250 OK")


def _answer(
    moody: _Moody, to: Sequence[str] = ("dana@example.com",), login: str = "", many: int = 1, **options: Any
) -> Sequence[hub.Outcome]:
    async def push() -> Sequence[hub.Outcome]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(moody, hostname="moody", loop=loop, **options), "127.0.0.1", 0)
        try:
            sink = _email(f"smtp://{login}127.0.0.1:{server.sockets[0].getsockname()[1]}")
            return await sink.push([_delivery(sink, f"alert:{n}", to=list(to)) for n in range(many)])
        finally:
            server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0)

    return asyncio.run(push())


def test_a_refusal_for_now_is_tried_later_and_one_for_good_is_not() -> None:
    assert _answer(_Moody(dana="450 mailbox busy")) == [hub.Retry("450 mailbox busy")]
    assert _answer(_Moody(dana="550 no such mailbox")) == [hub.Reject("550 no such mailbox")]
    assert _answer(_Moody(data="451 try later")) == [hub.Retry("451 try later")]
    assert _answer(_Moody(data="554 looks like spam")) == [hub.Reject("554 looks like spam")]
    assert _answer(_Moody(mail="451 greylisted")) == [hub.Retry("451 greylisted")]
    assert _answer(_Moody(mail="552 too big")) == [hub.Reject("552 too big")]


def test_a_refused_sender_pauses_the_destination() -> None:
    with pytest.raises(hub.CredentialsError, match="PULSEHUB_MAIL_FROM"):
        _answer(_Moody(mail="553 not yours"))


def test_one_refused_addressee_does_not_make_the_others_get_it_twice() -> None:
    moody = _Moody(dana="550 no such mailbox")
    assert _answer(moody, to=["dana@example.com", "lee@example.com"]) == [hub.Ok()]
    assert len(moody.kept) == 1


def test_when_all_are_refused_and_one_only_for_now_it_is_tried_later() -> None:
    answered = _answer(_Moody(dana="550 no such mailbox", lee="450 busy"), to=["dana@example.com", "lee@example.com"])
    assert answered == [hub.Retry("450 busy")]


def test_a_connection_that_breaks_after_the_last_byte_is_tried_later() -> None:
    with pytest.raises(hub.RetryLaterError):
        _answer(_Moody(data="hang up"))


def test_an_unreachable_server_is_tried_later() -> None:
    sink = _email("smtp://127.0.0.1:1")
    with pytest.raises(hub.RetryLaterError, match="could not be reached"):
        asyncio.run(sink.push([_delivery(sink)]))


_WITHOUT_TLS = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


def _logins(*good: tuple[bytes, bytes]) -> dict[str, Any]:
    def check(_server, _session, _envelope, _mechanism, given):
        assert isinstance(given, LoginPassword)
        return AuthResult(success=(given.login, given.password) in good, handled=False)

    return {"authenticator": check, "auth_required": True, "auth_require_tls": False}


@_WITHOUT_TLS
def test_it_logs_in_with_what_the_url_says() -> None:
    moody = _Moody()
    options = _logins((b"hub@example.com", b"p@ss:/word"))
    assert _answer(moody, login="hub%40example.com:p%40ss%3A%2Fword@", **options) == [hub.Ok()]
    assert len(moody.kept) == 1


@_WITHOUT_TLS
def test_a_refused_login_pauses_the_destination_and_never_tells_the_password() -> None:
    with pytest.raises(hub.CredentialsError, match="PULSEHUB_SMTP_URL") as caught:
        _answer(_Moody(), login="hub:wr0ng-pass@", **_logins((b"hub", b"right")))
    assert "wr0ng-pass" not in str(caught.value)


@_WITHOUT_TLS
def test_a_server_that_wants_a_login_we_do_not_have_pauses_the_destination() -> None:
    with pytest.raises(hub.CredentialsError):
        _answer(_Moody(), **_logins((b"hub", b"right")))


def test_starttls_is_insisted_on_where_the_url_asks_for_it(inbox: Inbox) -> None:
    sink = _email(inbox.smtp_url.replace("smtp://", "smtp+starttls://"))
    with pytest.raises(hub.CredentialsError, match="PULSEHUB_SMTP_URL"):
        asyncio.run(sink.push([_delivery(sink)]))


def test_without_a_url_there_is_no_mail_and_half_of_one_is_an_error_that_says_how() -> None:
    assert EmailSettings.read({}) is None
    for wrong in ("localhost:25", "http://localhost", "smtp://", "smtp://host:port", "smtp://[::1"):
        with pytest.raises(hub.ConfigError, match="PULSEHUB_SMTP_URL"):
            EmailSettings.read({"PULSEHUB_SMTP_URL": wrong})
    with pytest.raises(hub.ConfigError, match="PULSEHUB_MAIL_FROM"):
        _email("smtp://localhost", PULSEHUB_MAIL_FROM="Pulsehub")


@pytest.mark.parametrize(
    ("url", "port", "tls", "start_tls"),
    [
        ("smtp://host", 25, False, False),
        ("smtp://u:p@host:2525", 2525, False, None),
        ("smtps://u:p@host", 465, True, False),
        ("smtp+starttls://u:p@host", 587, False, True),
    ],
)
def test_the_scheme_says_how_it_is_protected(url: str, port: int, *, tls: bool, start_tls: bool | None) -> None:
    read = EmailSettings.read({"PULSEHUB_SMTP_URL": url})
    assert read
    assert (read.port, read.tls, read.start_tls) == (port, tls, start_tls)
    assert "p'" not in repr(read)


def test_python_s_own_client_is_understood_too(inbox: Inbox) -> None:
    host, _, port = inbox.smtp_url.removeprefix("smtp://").partition(":")
    with smtplib.SMTP(host, int(port)) as client:
        client.sendmail("a@example.com", ["b@example.com"], "Subject: plain\r\n\r\nhello\r\n")
    assert inbox.mails[-1].subject == "plain"
    assert inbox.mails[-1].part("html") == ""
