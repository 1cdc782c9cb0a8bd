"""One alert as one message: the headers, the text part and the HTML part. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

import jinja2

from hub.sdk.contracts import Delivery
from hub.sdk.health import Health
from sinks.email.view import view
from sinks.words import clean

_templates: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("sinks.email"),
    autoescape=jinja2.select_autoescape(["html"]),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def message_id(key: str, domain: str) -> str:
    """The same for every attempt at the same alert, so that a mail server or client can tell a repeat."""
    return f"<{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}@{domain}>"


def compose(
    delivery: Delivery,
    health: Health,
    sender: tuple[str, str],
    to: Sequence[str],
    *,
    public_url: str,
    now: float,
) -> EmailMessage:
    """Write the mail.

    Args:
        delivery: the alert.
        health: the health it speaks of.
        sender: name and address it is from.
        to: whom to; addresses, checked.
        public_url: where our pages are.
        now: unix seconds it is sent at.
    """
    name, address = sender
    shown = view(delivery, health, public_url)
    mail = EmailMessage(policy=SMTP.clone(max_line_length=200))
    mail["From"] = Address(clean(name), addr_spec=address)
    mail["To"] = [Address(addr_spec=one) for one in to]
    mail["Subject"] = clean(shown.subject, 250)
    mail["Date"] = datetime.fromtimestamp(now, UTC)
    mail["Message-ID"] = message_id(delivery.key, address.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(_templates.get_template("alert.txt").render(v=shown), cte="quoted-printable")
    mail.add_alternative(_templates.get_template("alert.html").render(v=shown), subtype="html", cte="quoted-printable")
    return mail
