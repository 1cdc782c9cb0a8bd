"""What went wrong, grouped by what happens next.

* HubError
  x ConfigError             do not start; a person must fix a setting
  x RejectedError           drop this message and say why
    + BadSignatureError     ... it is not from who it says it is
    + MalformedError        ... it is not what the source speaks
  x RetryLaterError         the same again, later
    + RateLimitedError      ... and not before `after` seconds
  x CredentialsError        pause this connection and tell its owner
"""

from __future__ import annotations


class HubError(Exception):
    """Anything Pulsehub raises on purpose."""


class ConfigError(HubError):
    """A setting is missing or wrong; the message names it and says what to do."""


class RejectedError(HubError):
    """This message can never be taken; trying again changes nothing."""


class BadSignatureError(RejectedError):
    """No active secret signed this request, or its stamp is outside the tolerance."""


class MalformedError(RejectedError):
    """The body is not in the language the source speaks."""


class RetryLaterError(HubError):
    """The other side could not do it now; nothing is lost, the same is tried again."""


class RateLimitedError(RetryLaterError):
    """As `RetryLaterError`, and the other side said when.

    Args:
        message: what the other side answered.
        after: seconds to wait before the next attempt.
    """

    def __init__(self, message: str, after: float) -> None:
        super().__init__(message)
        self.after = after


class CredentialsError(HubError):
    """Our key was refused: the connection pauses until a person mends it."""
