"""Our own sinks come in as a stranger's would: by hooks, each only where it has settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import httpx

from hub.sdk.contracts import Sink
from hub.sdk.hooks import hookimpl
from sinks.email.settings import EmailSettings
from sinks.email.sink import Email
from sinks.webhook import Webhook, WebhookSettings


@hookimpl
def register_sinks(settings: Mapping[str, str], http: httpx.AsyncClient) -> Iterable[Sink]:
    """E-mail with `PULSEHUB_SMTP_URL`, webhooks with `PULSEHUB_WEBHOOK_URL`."""
    found: list[Sink] = []
    if mail := EmailSettings.read(settings):
        found.append(Email(mail))
    if hook := WebhookSettings.read(settings):
        found.append(Webhook(hook, http))
        if hook.push_fields:
            found.append(Webhook(hook, http, "fields"))
    return found
