"""Whose event it is: pure rules, the same at the door, in the importer and when links are written.

An event names its customer by a vendor's reference and may carry stronger identifiers: the key under which *you*
know the customer everywhere (`external_id`), or a web or e-mail domain. The first of these that is known decides:

1. a link of the reference itself,
2. the explicit key, `key:ACME-1`,
3. the domain, `domain:acme.com`, unless anybody may have an address there; two keys are two customers though they
   share a domain, so an event with a key joins an account by domain only while that account has no key,
4. else a provisional account, at once: nothing waits.

Account ids are made of the strongest identifier alone, so a crash, a race or a second door ends at the same id.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, Literal, NamedTuple

from publicsuffixlist import PublicSuffixList

from hub.sdk.events import Event, Scalar

How = Literal["record", "key", "domain"]

_OURS: Final = re.compile(r"acc_[0-9a-f]{20}")
_HOST: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^/?#@]*@)?([^/?#:@]+)", re.IGNORECASE)
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_LONGEST: Final = 255


class Identifiers(NamedTuple):
    """What an event says about whose it is.

    Attributes:
        reference: the vendor's reference, `zendesk:organization:42`.
        key: `key:<external id>`, if carried.
        domain: `domain:<registrable domain>`, if carried and no free-mail provider's.
    """

    reference: str
    key: str | None = None
    domain: str | None = None

    @property
    def strongest(self) -> str:
        """The identifier that a new account's id is made of."""
        return self.key or self.domain or self.reference


def identifiers_of(event: Event) -> Identifiers:
    """Read the identifiers an event carries."""
    facts = event.properties
    if not facts:
        return Identifiers(event.account)
    return Identifiers(event.account, _key(facts.get("external_id")), _domain(facts))


def references_of(event: Event) -> list[tuple[str, How]]:
    """What an applied event proves to belong to its account: `(reference, how)`, strongest claim first.

    Its account's and contact's references by `record`, its explicit key by `key`, its domain by `domain`. Our own
    events about accounts (`account.merged`), and references that are our ids, prove nothing.
    """
    found = identifiers_of(event)
    proven: list[tuple[str, How]] = []
    if is_account_id(event.account):
        return proven
    proven.append((event.account, "record"))
    if found.key:
        proven.append((found.key, "key"))
    if event.contact and event.contact != event.account:
        proven.append((event.contact, "record"))
    if found.domain:
        proven.append((found.domain, "domain"))
    return proven


def account_of(found: Identifiers, linked: Callable[[str], str | None], keyed: Callable[[str], bool]) -> str:
    """Our account for these identifiers: the first that `linked` knows, else a new one's id.

    Args:
        found: what the event carries.
        linked: the account a reference, key or domain is linked to, or None.
        keyed: whether an explicit key is linked to this account; asked rarely.
    """
    if is_account_id(found.reference):
        return found.reference
    if account := linked(found.reference) or (linked(found.key) if found.key else None):
        return account
    neighbor = linked(found.domain) if found.domain else None
    if neighbor and not (found.key and keyed(neighbor)):
        return neighbor
    return account_id(found.strongest)


def account_id(identifier: str) -> str:
    """The id of the account that this identifier (a key, a domain, a reference) founds.

    >>> account_id("domain:acme.com")
    'acc_ebfed26590cf98c873c2'
    """
    return "acc_" + hashlib.blake2b(identifier.encode("utf-8", "replace"), digest_size=10).hexdigest()


def is_account_id(reference: str) -> bool:
    """Whether a reference is one of our own account ids: people's and our own events name accounts so."""
    return reference.startswith("acc_") and _OURS.fullmatch(reference) is not None


def survivor_of(account: str, merges: Mapping[str, str]) -> str:
    """Where an account's events go now, following merges; a circle (which nobody should write) ends where it began."""
    met = {account}
    while (into := merges.get(account)) is not None and into not in met:
        met.add(into)
        account = into
    return account


@lru_cache(maxsize=65_536)
def domain_of(text: str) -> str | None:
    """The registrable domain of a web address, a host or an e-mail address; None where it tells nothing.

    >>> domain_of("https://www.acme.co.uk/about"), domain_of("Ada <ada@mail.acme.com>"), domain_of("bob@gmail.com")
    ('acme.co.uk', 'acme.com', None)
    """
    host = _host(text)
    if host is None:
        return None
    found = _suffixes().privatesuffix(host)
    if not found:
        return None
    exact, names = _free()
    return None if found in exact or host in exact or found.partition(".")[0] in names else found


def _host(text: str) -> str | None:
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return None
    match = _HOST.match(text.rpartition("@")[2].rstrip("> ") if "@" in text and "://" not in text else text)
    if match is None:
        return None
    try:
        host = match[1].strip().rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        return None
    labels = host.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):  # noqa: PLR2004 - a suffix and a name
        return None
    return host


def _key(value: Scalar) -> str | None:
    """Carry the explicit key as one text, whether the vendor keeps it as text, integer or float."""
    match value:
        case bool() | None:
            return None
        case float():
            text = str(int(value)) if value.is_integer() else str(value)
        case _:
            text = str(value).strip()
    return f"key:{text}" if 0 < len(text) <= _LONGEST else None


def _domain(facts: Mapping[str, Scalar]) -> str | None:
    """Prefer the customer's own web domain to that of a person's address."""
    for name in ("domain", "email"):
        value = facts.get(name)
        if isinstance(value, str) and (name == "domain" or "@" in value) and (found := domain_of(value)):
            return f"domain:{found}"
    return None


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@cache
def _free() -> tuple[frozenset[str], frozenset[str]]:
    """Free-mail domains, and names that are so under every suffix."""
    lines = files("hub.ingest").joinpath("freemail.txt").read_text("utf-8").split("\n")
    entries = [line for raw in lines if (line := raw.strip()) and not line.startswith("#")]
    return (
        frozenset(entry for entry in entries if not entry.endswith(".*")),
        frozenset(entry.removesuffix(".*") for entry in entries if entry.endswith(".*")),
    )
