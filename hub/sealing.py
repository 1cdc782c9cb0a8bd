"""Who says what is stored, and later run as code, is signed with a secret that the database does not know.

What a plugin's expert learned may be a pickle, and to unpickle is to run. Whoever can write to the database must not be
able to have workers run what they like, so each state carries an HMAC-SHA256 of what it is and whose it is, and is
handed to nobody unless that fits. The key is made of a secret (RFC 5869's idea: a key of its own for each use).
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

from hub.sdk.errors import HubError
from hub.settings import Settings

FILE: Final = "secret.key"
_USE: Final = b"pulsehub, states of experts, 1"
_NAME: Final = 8  # hex digits by which a key is known


class BrokenSealError(HubError):
    """What is stored is not vouched for by any key there is; the message says what to do."""


class Seal:
    """Signs, and believes what was signed.

    Args:
        keys: the installation's secrets: the first signs, all are believed. Asked whenever one is needed; empty: there
            is none.
        make: makes the first one where it may; None: a person has to.
    """

    def __init__(self, keys: Callable[[], Sequence[str]], make: Callable[[], str] | None = None) -> None:
        self._secrets, self._make = keys, make

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Of an installation: by its setting, or on files by a key in the data folder, made when it is first needed."""
        given = [one.get_secret_value() for one in settings.secret_keys]
        if given or not settings.embedded:
            return cls(lambda: given)
        kept = settings.data / FILE
        return cls(lambda: _read(kept), lambda: _made(kept))

    @classmethod
    def once(cls) -> Self:
        """Of what does not outlive this process."""
        secret = secrets.token_hex(32)
        return cls(lambda: [secret])

    def sign(self, whose: str, body: bytes) -> str:
        """The signature of a body: `<name of the key>:<hex>`.

        Raises:
            BrokenSealError: there is no key.
        """
        known = list(self._secrets())
        if not known and self._make is not None:
            known = [self._make()]
        if not known:
            raise BrokenSealError("PULSEHUB_SECRET_KEYS is not set: what it learned can be neither signed nor believed")
        key = _key(known[0])
        return f"{_name(key)}:{_mac(key, whose, body)}"

    def check(self, whose: str, body: bytes, signature: str) -> None:
        """Say nothing, if a key there is has signed this body as his.

        Raises:
            BrokenSealError: none has, or it is not what was signed.
        """
        name, _, theirs = signature.partition(":")
        keys = {_name(key): key for key in map(_key, self._secrets())}
        if not keys:
            raise BrokenSealError(f"it was signed with key {name}, and PULSEHUB_SECRET_KEYS is not set")
        if name not in keys:
            raise BrokenSealError(
                f"it was signed with key {name}, which is not among PULSEHUB_SECRET_KEYS ({', '.join(keys)}):"
                f" add the old secret behind the new one, or let it begin anew with `pulsehub models --forget {whose}`"
            )
        if not hmac.compare_digest(theirs.encode(), _mac(keys[name], whose, body).encode()):
            raise BrokenSealError(
                "what is stored is not what was signed: somebody or something changed it;"
                f" let it begin anew with `pulsehub models --forget {whose}`"
            )


def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), _USE, "sha256")


def _name(key: bytes) -> str:
    return hmac.digest(key, b"name", "sha256").hex()[:_NAME]


def _mac(key: bytes, whose: str, body: bytes) -> str:
    return hmac.digest(key, whose.encode() + b"\0" + body, "sha256").hex()


def _read(kept: Path) -> list[str]:
    try:
        return [kept.read_text(encoding="ascii").strip()]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenSealError(f"cannot read {kept}: {error}") from None


def _made(kept: Path) -> str:
    """A new one in a file that only its owner may read, whole or not there; who comes second reads the first one's."""
    secret, begun = secrets.token_hex(32), kept.with_name(f".{FILE}.{os.getpid()}")
    try:
        with os.fdopen(os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(f"{secret}\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(begun, kept)
        begun.unlink()
    except OSError as error:
        raise BrokenSealError(f"cannot write {kept}: {error.strerror}") from None
    return _read(kept)[0]
