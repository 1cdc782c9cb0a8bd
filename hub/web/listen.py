"""Who may talk to us: on which address we listen, and whose requests we answer."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from hub.sdk.errors import ConfigError
from hub.settings import Settings

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SHORT = 16
"""Characters below which a token can be guessed by whoever may ask as often as they like."""


def is_loopback(host: str) -> bool:
    """Whether an address, or a name that cannot mean anything else, is this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host.lower() in LOOPBACK_NAMES:
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback


def check_listen(settings: Settings) -> None:
    """Refuse to show customers' data to a network without a secret, or with one that can be guessed.

    Raises:
        ConfigError: `host` is not the loopback address and there is no token, or a short one.
    """
    token = settings.api_token.get_secret_value() if settings.api_token else ""
    if is_loopback(settings.host) or len(token) >= SHORT:
        return
    if token:
        raise ConfigError(
            f"PULSEHUB_HOST is {settings.host} and PULSEHUB_API_TOKEN is short enough to be guessed by anyone who can "
            f"reach that address: it needs {SHORT} characters (`openssl rand -hex 32`), or listen on 127.0.0.1",
        )
    raise ConfigError(
        f"PULSEHUB_HOST is {settings.host}: anyone who can reach that address could read your customers' data. "
        "Set PULSEHUB_API_TOKEN to a long random secret (`openssl rand -hex 32`), which people and programs then "
        "need, or listen on 127.0.0.1",
    )


def names(settings: Settings) -> frozenset[str]:
    """The host names that requests may be addressed to; any other is somebody else's page resolving to us."""
    ours = {*LOOPBACK_NAMES, urlsplit(settings.public_url).hostname or ""}
    if settings.host not in ("", "0.0.0.0", "::"):  # noqa: S104 - compared with, not listened on
        ours.add(settings.host.lower().strip("[]"))
    return frozenset(ours - {""})


def name_of(host_header: str) -> str:
    """The name in a Host header, without its port.

    >>> name_of("LOCALHOST:8420"), name_of("[::1]:80"), name_of("pulse.acme.com"), name_of("")
    ('localhost', '::1', 'pulse.acme.com', '')
    """
    try:
        return urlsplit(f"//{host_header}").hostname or ""
    except ValueError:
        return ""
