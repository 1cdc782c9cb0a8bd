"""Zendesk: every ticket is a customer telling us how it is going."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import httpx

import hub
from plugins.zendesk.client import Client
from plugins.zendesk.settings import ZendeskSettings
from plugins.zendesk.sink import OrganizationFields
from plugins.zendesk.source import Zendesk


@hub.hookimpl
def register_sources(settings: Mapping[str, str]) -> Iterable[hub.Source]:
    """One source, where a signing secret is set."""
    ours = ZendeskSettings.read(settings)
    if ours and ours.signing_secret:
        yield Zendesk(ours)


@hub.hookimpl
def register_sinks(settings: Mapping[str, str], http: httpx.AsyncClient) -> Iterable[hub.Sink]:
    """One sink of fields, where the API's address, e-mail and token are set."""
    ours = ZendeskSettings.read(settings)
    if ours and ours.url and ours.token:
        client = Client(http, ours.url, ours.email, ours.token)
        yield OrganizationFields(ours.connection, client, ours.per_minute)


@hub.hookimpl
def register_sandboxes() -> Iterable[hub.Sandbox]:
    """A small Zendesk."""
    from plugins.zendesk.sandbox import ZendeskSandbox  # noqa: PLC0415 - an installation never needs a web framework here

    yield ZendeskSandbox()
