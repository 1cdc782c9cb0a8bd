"""Which Kafka a URL names, and how it is spoken to: everything about the connection is here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, Final, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from aiokafka.helpers import create_ssl_context

from hub.sdk.errors import ConfigError

EXAMPLE: Final = "kafka://host:9092,host:9092/pulsehub"
_PORT: Final = 9092
_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_SECURITY: Final = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True)
class Broker:
    """A Kafka cluster and our share of it.

    Attributes:
        servers: `host:port` to begin with; the others are learned from them.
        prefix: our topics are `prefix.events`, our groups `prefix.scoring`.
        security: plaintext, ssl, sasl_plaintext or sasl_ssl.
        mechanism: of sasl: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
        ca: file of the authority that signed the brokers' certificates; the system's authorities unless set.
        session: seconds of silence after which the broker gives a worker's partitions to the others.
        rebalance: seconds a worker has to finish its batch and come to a rebalance.
        patience: seconds an answer, or a record's acknowledgement, is waited for.
    """

    servers: tuple[str, ...]
    prefix: str = "pulsehub"
    user: str = ""
    password: str = field(default="", repr=False)
    security: str = "plaintext"
    mechanism: str = "PLAIN"
    ca: str = ""
    session: float = 10.0
    rebalance: float = 60.0
    patience: float = 10.0

    @classmethod
    def at(cls, url: str) -> Self:
        """Read `kafka://[user:password@]host:port[,host:port...]/prefix?security=&mechanism=&ca=&session=&...`.

        With a user and no `security` it is sasl_ssl: no password travels in the clear unless that is asked for.

        Raises:
            ConfigError: it cannot be read; the message says what to write instead, and no password.
        """
        parts = urlsplit(url)
        if parts.scheme != "kafka":
            raise ConfigError(f"that is no Kafka; use {EXAMPLE}")
        login, _, hosts = parts.netloc.rpartition("@")
        user, _, password = login.partition(":")
        prefix = parts.path.strip("/") or "pulsehub"
        if not _PREFIX.fullmatch(prefix):
            raise ConfigError(f"{prefix} cannot begin the names of topics: letters, digits, `.`, `_` and `-` only")
        asked = dict(parse_qsl(parts.query, keep_blank_values=True))
        settings = {name: asked.pop(name) for name in ("security", "mechanism", "ca") if name in asked}
        security = settings.setdefault("security", "sasl_ssl" if user else "plaintext").lower()
        mechanism = settings.setdefault("mechanism", "PLAIN").upper()
        if security not in _SECURITY:
            raise ConfigError(f"security={security} of the broker's URL is none of {', '.join(_SECURITY)}")
        if mechanism not in _MECHANISMS:
            raise ConfigError(f"mechanism={mechanism} of the broker's URL is none of {', '.join(_MECHANISMS)}")
        if security.startswith("sasl") != bool(user):
            raise ConfigError(
                f"security={security} of the broker's URL and its user do not agree: kafka://user:password@host:9092/"
                "pulsehub?security=sasl_ssl, or neither"
            )
        times = {
            name: _seconds(name, asked.pop(name)) for name in ("session", "rebalance", "patience") if name in asked
        }
        if asked:
            raise ConfigError(f"nothing is called {', '.join(sorted(asked))} in a broker's URL; use {EXAMPLE}")
        return cls(
            tuple(_server(host) for host in hosts.split(",")),
            prefix,
            unquote(user),
            unquote(password),
            security,
            mechanism,
            settings.get("ca", ""),
            **times,
        )

    @property
    def place(self) -> str:
        """For people: no user, no password."""
        return f"kafka://{','.join(self.servers)}/{self.prefix}"

    def named(self, name: str) -> str:
        """What our topic or group is called there."""
        return f"{self.prefix}.{name}"

    def client(self) -> dict[str, Any]:
        """What every client of aiokafka is told.

        Raises:
            ConfigError: the file of the authority cannot be read.
        """
        return {
            "bootstrap_servers": list(self.servers),
            "client_id": self.prefix,
            "security_protocol": self.security.upper(),
            "ssl_context": self._ssl(),
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.user or None,
            "sasl_plain_password": self.password or None,
        }

    def _ssl(self) -> SSLContext | None:
        if not self.security.endswith("ssl"):
            return None
        try:
            context: SSLContext = create_ssl_context(cafile=self.ca or None)
        except OSError as error:
            raise ConfigError(f"cannot read ca={self.ca} of the broker's URL: {error}") from None
        return context


def _server(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(_PORT)
    if not host or not port.isdecimal():
        raise ConfigError(f"the broker's URL names no server in {text!r}; use {EXAMPLE}")
    return f"{host}:{port}"


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:  # noqa: PLR2004 - a day
        raise ConfigError(f"{name}={text} of the broker's URL is no number of seconds")
    return seconds
