"""From a verified webhook to events and dead letters: what a source makes of it, and what becomes of what it cannot."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import ValidationError

from hub.ingest.answers import RefusedError
from hub.ingest.deadletters import Dead, letter_id
from hub.ingest.intake import Sealed, seal
from hub.sdk.contracts import Raw, Source, Webhook
from hub.sdk.errors import BadSignatureError, RejectedError

_log: Final = logging.getLogger("ingest")
_LONGEST: Final = 500  # characters of a reason


class Read(NamedTuple):
    """What records come to."""

    events: list[Sealed]
    letters: list[Dead]


def verify(source: Source, hook: Webhook, now: datetime) -> None:
    """Let the source vouch for a webhook.

    Raises:
        RefusedError: 401 or 400. A source that fails in any other way has not vouched, and our log says so.
    """
    try:
        source.verify(hook, now)
    except BadSignatureError as error:
        raise RefusedError(401, "bad_signature", _say(error)) from None
    except RejectedError as error:
        raise RefusedError(400, "malformed", _say(error)) from None
    except Exception as error:  # noqa: BLE001 - a plugin met bytes its author did not think of
        _log.warning("ingest.verify_failed", extra={"connection": source.name, "error": type(error).__name__})
        raise RefusedError(401, "bad_signature", "the signature could not be read") from None


def cut(source: Source, hook: Webhook, now: datetime) -> Sequence[Raw]:
    """Let the source cut a verified webhook into records.

    Raises:
        RefusedError: 400, however the source failed.
    """
    try:
        return list(source.decode(hook, now))
    except RejectedError as error:
        raise RefusedError(400, "malformed", _say(error)) from None
    except Exception as error:  # noqa: BLE001 - as above
        _log.warning("ingest.decode_failed", extra={"connection": source.name, "error": type(error).__name__})
        raise RefusedError(400, "malformed", f"the body is not what {source.vendor} speaks") from None


def read(source: Source, records: Iterable[Raw], now: datetime, version: str = "") -> Read:
    """Normalize records and check what comes of them.

    A record that cannot be normalized becomes a dead letter and gives no event. One that gives events of which some
    break a rule becomes a dead letter beside the good ones: read again, those are duplicates.
    """
    events: list[Sealed] = []
    letters: list[Dead] = []
    for raw in records:
        try:
            said = list(source.normalize(raw))
        except Exception as error:  # noqa: BLE001 - whatever it raises dead-letters the record, and only that
            letters.append(letter(source, raw, _why(error), now, version))
            continue
        broken = None
        for event in said:
            try:
                events.append(seal(event, source.name, now))
            except RejectedError as error:
                broken = broken or str(error)
        if broken:
            letters.append(letter(source, raw, broken, now, version))
    return Read(events, letters)


def letter(source: Source, raw: Raw, reason: str, now: datetime, version: str) -> Dead:
    """A record that could not be read, as a dead letter."""
    body = raw.body if isinstance(raw.body, bytes) else str(raw.body).encode("utf-8", "replace")
    return Dead(
        id=letter_id("normalize", source.name, body),
        at=now.timestamp(),
        stage="normalize",
        connection=source.name,
        reason=reason.encode("utf-8", "replace").decode()[:_LONGEST],
        version=version,
        context={
            "path": raw.path,
            "received_at": raw.received_at.isoformat(),
            "sent_at": raw.sent_at.isoformat() if raw.sent_at else None,
        },
        body=body,
    )


def _why(error: Exception) -> str:
    """The reason in a line; a plugin's own words as they are."""
    if isinstance(error, RejectedError):
        return str(error)
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or error.title}: {first['msg']}"
    return f"{type(error).__name__}: {error}"


def _say(error: Exception) -> str:
    return str(error).encode("utf-8", "replace").decode()[:_LONGEST]
