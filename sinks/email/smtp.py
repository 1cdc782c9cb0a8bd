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
            username=settings.user,
            password=settings.password,
            use_tls=settings.tls,
            start_tls=settings.start_tls,
            timeout=_TIMEOUT,
        )

    async def __aenter__(self) -> Self:
        where = f"{self._settings.host}:{self._settings.port}"
        try:
            await self._smtp.connect()
        except aiosmtplib.SMTPResponseException as error:
            self._smtp.close()
            reason = f"{where} answered {_said(error)}"
            if isinstance(error, aiosmtplib.SMTPAuthenticationError) and error.code >= _FINAL:
                raise CredentialsError(f"{reason}; mend PULSEHUB_SMTP_URL") from None
            raise RetryLaterError(reason) from None
        except aiosmtplib.SMTPNotSupported as error:
            self._smtp.close()
            raise CredentialsError(f"{where} cannot do what PULSEHUB_SMTP_URL asks: {error}") from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            self._smtp.close()
            raise RetryLaterError(f"{where} could not be reached: {error}") from None
        return self

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
            refused, _ = await self._smtp.send_message(mail, recipients=list(to))
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
