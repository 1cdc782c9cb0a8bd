"""Bodies as vendors sent them, kept so that a mended plugin can read them again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from hub.sdk.contracts import Webhook

_SECRET: Final = ("authorization", "cookie", "signature", "secret", "token", "password", "key")


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One body; the message of topic `raw`.

    Attributes:
        connection: the source that vouched for it.
        received_at: when; aware.
        path: the path it came by.
        headers: all but those that prove who sent it.
        query: likewise.
        body: after decompression.
    """

    connection: str
    received_at: datetime
    path: str
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    query: dict[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""


def keep(connection: str, hook: Webhook, received_at: datetime) -> bytes:
    """Write a verified webhook as topic `raw` keeps it: without what could be used to forge another."""
    return msgspec.json.encode(
        Kept(
            connection=connection,
            received_at=received_at,
            path=hook.path,
            headers=_harmless(hook.headers),
            query=_harmless(hook.query),
            body=hook.body,
        )
    )


def _harmless(pairs: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value.encode("utf-8", "replace").decode()
        for name, value in pairs.items()
        if not any(word in name.lower() for word in _SECRET)
    }
