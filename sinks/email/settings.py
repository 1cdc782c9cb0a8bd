"""Where mail goes through, and whom it is from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from hub.sdk.errors import ConfigError

_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_ADDRESS: Final = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}@[^\s@<>()\[\]\\,;:\"/\x00-\x1f\x7f]{1,253}")
_FORMS: Final = "smtp://host:25, smtp+starttls://user:password@host:587 or smtps://user:password@host:465"


def is_address(text: str) -> bool:
    """Whether this is one e-mail address in ASCII and nothing else: no name, no second one, no line break."""
    return text.isascii() and _ADDRESS.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailSettings:
    """One way out for mail.

    Attributes:
        host: of the SMTP server.
        port: of the SMTP server; the scheme's own unless the URL says another.
        tls: speak TLS from the first byte (`smtps`).
        start_tls: upgrade, or refuse to go on (`smtp+starttls`); None upgrades where it is offered, which is what
            plain `smtp` does when it has a password to protect.
        user: login, or None.
        password: of the login.
        sender: name and address mail is from.
        public_url: where people open our pages, without a slash at its end.
    """

    host: str
    port: int
    tls: bool
    start_tls: bool | None
    user: str | None
    password: str | None = field(repr=False)
    sender: tuple[str, str]
    public_url: str

    @classmethod
    def read(cls, settings: Mapping[str, str]) -> Self | None:
        """None without `PULSEHUB_SMTP_URL`; `ConfigError` names what is wrong, never the password."""
        url = settings.get("PULSEHUB_SMTP_URL", "")
        if not url:
            return None
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ConfigError(f"PULSEHUB_SMTP_URL is not a URL; it looks like {_FORMS}") from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ConfigError(f"PULSEHUB_SMTP_URL has to look like {_FORMS}")
        name, address = parseaddr(settings.get("PULSEHUB_MAIL_FROM") or "Pulsehub <pulsehub@localhost>")
        if not is_address(address):
            raise ConfigError("PULSEHUB_MAIL_FROM has to look like `Pulsehub <pulsehub@example.com>`")
        user = unquote(parts.username) if parts.username else None
        return cls(
            host=parts.hostname,
            port=_PORTS[parts.scheme] if port is None else port,
            tls=parts.scheme == "smtps",
            start_tls={"smtp": None if user else False, "smtp+starttls": True, "smtps": False}[parts.scheme],
            user=user,
            password=unquote(parts.password) if parts.password else None,
            sender=(name, address),
            public_url=(settings.get("PULSEHUB_PUBLIC_URL") or "http://127.0.0.1:8420").rstrip("/"),
        )
