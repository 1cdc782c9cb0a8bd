from __future__ import annotations

import asyncio

import httpx
import pytest

import hub
from plugins import zendesk

SOURCE = {"PULSEHUB_ZENDESK_SIGNING_SECRET": "old, new"}
SINK = {
    "PULSEHUB_ZENDESK_URL": "https://acme.zendesk.com/",
    "PULSEHUB_ZENDESK_EMAIL": "robin@acme.example",
    "PULSEHUB_ZENDESK_TOKEN": "t0ken",
}


def offered(settings):
    async def ask():
        async with httpx.AsyncClient() as http:
            return list(zendesk.register_sources(settings)), list(zendesk.register_sinks(settings, http))

    return asyncio.run(ask())


def test_without_settings_there_is_nothing():
    assert offered({}) == ([], [])


def test_a_signing_secret_makes_a_source():
    sources, sinks = offered(SOURCE)
    assert [(s.name, s.vendor) for s in sources] == [("zendesk", "zendesk")]
    assert isinstance(sources[0], hub.Source)
    assert sinks == []


def test_address_email_and_token_make_a_sink():
    sources, sinks = offered(SINK)
    assert sources == []
    assert [(s.name, s.shape, s.batch) for s in sinks] == [("zendesk", "fields", 100)]
    assert isinstance(sinks[0], hub.Sink)


def test_its_pace_is_what_the_vendor_tolerates_unless_more_was_bought():
    assert offered(SINK)[1][0].per_minute == 30
    assert offered(SINK | {"PULSEHUB_ZENDESK_PER_MINUTE": "400"})[1][0].per_minute == 400


@pytest.mark.parametrize("missing", sorted(SINK))
def test_half_a_sink_is_an_error_that_names_the_key(missing):
    with pytest.raises(hub.ConfigError, match=f"^{missing} is not set"):
        offered(SOURCE | {k: v for k, v in SINK.items() if k != missing})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"PULSEHUB_ZENDESK_TOLERANCE": "60"}, "PULSEHUB_ZENDESK_SIGNING_SECRET is not set"),
        (SINK | {"PULSEHUB_ZENDESK_URL": "http://acme.zendesk.com"}, "PULSEHUB_ZENDESK_URL: .*https"),
        (SINK | {"PULSEHUB_ZENDESK_URL": "acme"}, "PULSEHUB_ZENDESK_URL: .*https"),
        (SOURCE | {"PULSEHUB_ZENDESK_TOLERANCE": "0"}, "PULSEHUB_ZENDESK_TOLERANCE"),
        (SOURCE | {"PULSEHUB_ZENDESK_CONNECTION": "Zen Desk"}, "PULSEHUB_ZENDESK_CONNECTION"),
        (SOURCE | {"PULSEHUB_ZENDESK_SECRET": "x"}, "PULSEHUB_ZENDESK_SECRET is not a setting"),
    ],
)
def test_a_wrong_setting_is_named(settings, said):
    with pytest.raises(hub.ConfigError, match=said):
        offered(settings)


def test_no_secret_shows_when_settings_are_printed():
    shown = repr(zendesk.ZendeskSettings.read(SOURCE | SINK))
    assert "t0ken" not in shown
    assert "old" not in shown
