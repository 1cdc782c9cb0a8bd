"""One conversation with an SMTP server, and what its replies mean.

A reply of 4xx is "not now", 5xx is "never", and a refused login or sender is a matter for the person who set it. A
connection that breaks after the last byte of a mail leaves it open whether it was taken: it is sent again, with the
same Message-ID.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from email.message import EmailMessage
from types import TracebackType
from typing import Final, Self

import aiosmtplib
from aiosmtplib import SMTP

from hub.sdk.contracts import Ok, Outcome, Reject, Retry
from hub.sdk.errors import CredentialsError, RetryLaterError
from sinks.email.settings import EmailSettings

_TIMEOUT: Final = 20.0
_FINAL: Final = 500
_TOO_BIG: Final = 552  # about this mail, though it may answer MAIL FROM
_log = logging.getLogger(__name__)


class Conversation:
    """`async with Conversation(settings) as talk: outcome = await talk.send(mail, to)`.

    Raises:
        CredentialsError: the server refused our login.
        RetryLaterError: it could not be reached, or not now.
    """

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._smtp = SMTP(
            hostname=settings.host,
            port=settings.port,
            use_tls=settings.tls,
            start_tls=False,  # we do it ourselves, to tell what a server cannot from what it will not
            timeout=_TIMEOUT,
        )

    async def __aenter__(self) -> Self:
        where = f"{self._settings.host}:{self._settings.port}"
        try:
            await self._begin()
        except CredentialsError:
            self._smtp.close()
            raise
        except aiosmtplib.SMTPAuthenticationError as error:
            self._smtp.close()
            reason = f"{where} refused our login: {_said(error)}"
            if error.code >= _FINAL:
                raise CredentialsError(f"{reason}; mend PULSEHUB_SMTP_URL") from None
            raise RetryLaterError(reason) from None
        except aiosmtplib.SMTPResponseException as error:
            self._smtp.close()
            raise RetryLaterError(f"{where} answered {_said(error)}") from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            self._smtp.close()
            raise RetryLaterError(f"{where} could not be reached: {error}") from None
        return self

    async def _begin(self) -> None:
        """Connect, protect the connection, log in; each as far as the settings ask for it."""
        settings = self._settings
        await self._smtp.connect()
        await self._smtp.ehlo()
        offers_tls = self._smtp.supports_extension("starttls")
        if settings.start_tls and not offers_tls:
            raise CredentialsError("the server offers no STARTTLS, and PULSEHUB_SMTP_URL asks for it")
        if settings.start_tls or (settings.start_tls is None and offers_tls):
            await self._smtp.starttls()
            await self._smtp.ehlo()
        if settings.user is not None:
            if not self._smtp.supports_extension("auth"):
                raise CredentialsError("the server takes no logins here, and PULSEHUB_SMTP_URL has one")
            await self._smtp.login(settings.user, settings.password or "")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._smtp.quit()
        except (aiosmtplib.SMTPException, OSError):
            self._smtp.close()  # it hung up first

    async def send(self, mail: EmailMessage, to: Sequence[str]) -> Outcome:
        """Hand over one mail.

        A server may take some addressees and refuse others. Sending again would reach the first ones twice, so that
        counts as sent, and the refused ones are named in the log by their number only.

        Raises:
            CredentialsError: the server does not take mail from our sender.
            RetryLaterError: it is gone.
        """
        try:
            refused, _ = await self._smtp.sendmail(self._settings.sender[1], list(to), mail.as_bytes())
        except aiosmtplib.SMTPRecipientsRefused as error:
            worst = min(error.recipients, key=lambda one: one.code)
            return _outcome(worst)
        except aiosmtplib.SMTPSenderRefused as error:
            if error.code >= _FINAL and error.code != _TOO_BIG:
                raise CredentialsError(f"our sender was refused: {_said(error)}; mend PULSEHUB_MAIL_FROM") from None
            return _outcome(error)
        except aiosmtplib.SMTPResponseException as error:
            return _outcome(error)
        except aiosmtplib.SMTPNotSupported as error:
            return Reject(f"the server cannot take this mail: {error}")
        except (aiosmtplib.SMTPException, OSError) as error:
            raise RetryLaterError(f"the connection broke: {error}") from None
        if refused:
            _log.warning("email.addressees_refused", extra={"refused": len(refused), "of": len(to)})
        return Ok()


def _outcome(error: aiosmtplib.SMTPResponseException) -> Outcome:
    return Reject(_said(error)) if error.code >= _FINAL else Retry(_said(error))


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {' '.join(error.message.split())}"
