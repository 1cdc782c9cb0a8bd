"""Proofs that a request is a person's own: the session's cookie and the forms' token. Stateless: both are HMACs."""

from __future__ import annotations

import hashlib
import hmac
import secrets

SESSION_COOKIE = "pulsehub"
SESSION_SECONDS = 14 * 86_400


class Proofs:
    """Makes and checks cookies and form tokens.

    Args:
        token: `PULSEHUB_API_TOKEN`; None where only the loopback address is answered. Another token ends every
            session.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token.encode() if token else None
        self._key = (
            hashlib.blake2b(self._token, person=b"pulsehub-web").digest() if self._token else secrets.token_bytes()
        )

    @property
    def needed(self) -> bool:
        """Whether anybody has to prove anything."""
        return self._token is not None

    def knows(self, token: str) -> bool:
        """Whether this is the token; in constant time."""
        return self._token is not None and hmac.compare_digest(token.encode("utf-8", "replace"), self._token)

    def borne(self, authorization: str) -> bool:
        """Whether an `Authorization` header bears the token."""
        kind, _, token = authorization.partition(" ")
        return kind.lower() == "bearer" and self.knows(token.strip())

    def cookie(self, now: float) -> str:
        """A session's cookie, good for two weeks."""
        until = str(int(now) + SESSION_SECONDS)
        return f"{until}.{self._mac('session', until)}"

    def is_session(self, cookie: str, now: float) -> bool:
        """Whether we made this cookie, not too long ago."""
        until, _, mac = cookie.partition(".")
        mine = hmac.compare_digest(self._mac("session", until).encode(), mac.encode("utf-8", "replace"))
        return mine and until.isdecimal() and int(until) > now

    @property
    def form(self) -> str:
        """What every form carries: pages of other origins cannot read it."""
        return self._mac("form", "")

    def is_form(self, token: str) -> bool:
        """Whether a form came from one of our pages; in constant time."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.form.encode())

    def _mac(self, what: str, text: str) -> str:
        return hmac.new(self._key, f"{what}\0{text}".encode(), hashlib.sha256).hexdigest()
