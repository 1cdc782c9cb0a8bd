"""Salesforce: who the customers are, who looks after them, what is being sold to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import httpx

import hub
from plugins.salesforce.client import Client
from plugins.salesforce.settings import SalesforceSettings
from plugins.salesforce.sink import AccountFields
from plugins.salesforce.source import Salesforce


@hub.hookimpl
def register_sources(settings: Mapping[str, str]) -> Iterable[hub.Source]:
    """One source, where a signing secret or a key for outbound messages is set."""
    ours = SalesforceSettings.read(settings)
    if ours and (ours.signing_secret or ours.address_key):
        yield Salesforce(ours)


@hub.hookimpl
def register_sinks(settings: Mapping[str, str], http: httpx.AsyncClient) -> Iterable[hub.Sink]:
    """One sink of fields, where the API's address and a connected app are set."""
    ours = SalesforceSettings.read(settings)
    if ours and ours.url and ours.client_secret:
        client = Client(http, ours.url, ours.client_id, ours.client_secret, ours.api_version)
        yield AccountFields(ours.connection, client, ours.external_id_field, ours.per_minute)


@hub.hookimpl
def register_sandboxes() -> Iterable[hub.Sandbox]:
    """A small Salesforce."""
    from plugins.salesforce.sandbox import SalesforceSandbox  # noqa: PLC0415 - it needs a web framework

    yield SalesforceSandbox()
