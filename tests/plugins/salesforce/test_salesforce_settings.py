from __future__ import annotations

import asyncio

import httpx
import pytest

import hub
from plugins import salesforce

SOURCE = {"PULSEHUB_SALESFORCE_SIGNING_SECRET": "old, new"}
OUTBOUND = {
    "PULSEHUB_SALESFORCE_ADDRESS_KEY": "addr-1",
    "PULSEHUB_SALESFORCE_ORGANIZATION_ID": "00D5g000004AbCdEAK",
}
SINK = {
    "PULSEHUB_SALESFORCE_URL": "https://acme.my.salesforce.com",
    "PULSEHUB_SALESFORCE_CLIENT_ID": "3MVG9.app",
    "PULSEHUB_SALESFORCE_CLIENT_SECRET": "s3cret",
}


def offered(settings):
    async def ask():
        async with httpx.AsyncClient() as http:
            return list(salesforce.register_sources(settings)), list(salesforce.register_sinks(settings, http))

    return asyncio.run(ask())


def test_without_settings_there_is_nothing():
    assert offered({}) == ([], [])


@pytest.mark.parametrize("settings", [SOURCE, OUTBOUND, SOURCE | OUTBOUND])
def test_a_secret_of_either_way_makes_a_source(settings):
    sources, sinks = offered(settings)
    assert [(s.name, s.vendor) for s in sources] == [("salesforce", "salesforce")]
    assert isinstance(sources[0], hub.Source)
    assert sinks == []


def test_a_connected_app_makes_a_sink():
    sources, sinks = offered(SINK)
    assert sources == []
    assert [(s.name, s.shape, s.batch) for s in sinks] == [("salesforce", "fields", 200)]
    assert isinstance(sinks[0], hub.Sink)


def test_its_pace_is_what_the_vendor_tolerates_unless_more_was_bought():
    assert offered(SINK)[1][0].per_minute == 60
    assert offered(SINK | {"PULSEHUB_SALESFORCE_PER_MINUTE": "400"})[1][0].per_minute == 400


@pytest.mark.parametrize("missing", sorted(SINK) + sorted(OUTBOUND))
def test_half_of_either_is_an_error_that_names_the_key(missing):
    whole = SOURCE | SINK | OUTBOUND
    with pytest.raises(hub.ConfigError, match=f"^{missing} is not set"):
        offered({k: v for k, v in whole.items() if k != missing})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"PULSEHUB_SALESFORCE_CURRENCY": "EUR"}, "PULSEHUB_SALESFORCE_SIGNING_SECRET is not set"),
        (SINK | {"PULSEHUB_SALESFORCE_URL": "http://acme.my.salesforce.com"}, "PULSEHUB_SALESFORCE_URL: .*https"),
        (SOURCE | {"PULSEHUB_SALESFORCE_EXTERNAL_ID_FIELD": "../x"}, "PULSEHUB_SALESFORCE_EXTERNAL_ID_FIELD"),
        (SOURCE | {"PULSEHUB_SALESFORCE_API_VERSION": "latest"}, "PULSEHUB_SALESFORCE_API_VERSION"),
        (OUTBOUND | {"PULSEHUB_SALESFORCE_ORGANIZATION_ID": "acme"}, "PULSEHUB_SALESFORCE_ORGANIZATION_ID"),
        (SOURCE | {"PULSEHUB_SALESFORCE_SECRET": "x"}, "PULSEHUB_SALESFORCE_SECRET is not a setting"),
    ],
)
def test_a_wrong_setting_is_named(settings, said):
    with pytest.raises(hub.ConfigError, match=said):
        offered(settings)


def test_no_secret_shows_when_settings_are_printed():
    shown = repr(salesforce.SalesforceSettings.read(SOURCE | SINK | OUTBOUND))
    for secret in ("s3cret", "old", "addr-1"):
        assert secret not in shown
