"""Outbound messages: SOAP, read by a parser that refuses every declaration an attack could be made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

import hub

ACK: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)
"""The one answer that Salesforce takes for a success."""

_DEEPEST: Final = 16
_RECORD: Final = ["Envelope", "Body", "notifications", "Notification", "sObject"]
_TYPE: Final = "http://www.w3.org/2001/XMLSchema-instance type"


@dataclass(slots=True)
class Notification:
    """One record's newest state; `id` is the same however often it is sent."""

    id: str = ""
    sobject: str = ""
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Message:
    """Up to 100 notifications of one organization."""

    organization_id: str = ""
    notifications: list[Notification] = field(default_factory=list)


def is_outbound(hook: hub.Webhook) -> bool:
    """Whether a webhook is an outbound message rather than JSON."""
    return hook.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def read(body: bytes) -> Message:
    """The message, or `MalformedError`."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last two: encodings nobody knows
        raise hub.MalformedError(f"the body is not XML: {error}") from None
    if not reader.message.organization_id or not reader.message.notifications:
        raise hub.MalformedError("the body is no outbound message")
    return reader.message


def _refuse(*_: object) -> None:
    raise hub.MalformedError("the body declares a document type, which outbound messages never do")


class _Reader:
    """Remembers where it is; names lose their namespaces, since there is nothing to confuse them with."""

    def __init__(self) -> None:
        self.message = Message()
        self._path: list[str] = []
        self._words: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name.rpartition(" ")[2])
        self._words.clear()
        if len(self._path) > _DEEPEST:
            raise hub.MalformedError("the body is nested too deeply")
        if self._path == _RECORD[:4]:
            self.message.notifications.append(Notification())
        elif self._path == _RECORD:
            self.message.notifications[-1].sobject = attributes.get(_TYPE, "").rpartition(":")[2]

    def text(self, text: str) -> None:
        self._words.append(text)

    def end(self, _: str) -> None:
        text = "".join(self._words).strip()
        self._words.clear()
        *above, name = self._path
        self._path.pop()
        if not text:
            return
        if above == _RECORD[:3] and name == "OrganizationId":
            self.message.organization_id = text
        elif above == _RECORD[:4] and name == "Id":
            self.message.notifications[-1].id = text
        elif above == _RECORD:
            self.message.notifications[-1].fields[name] = text
