"""Pulsehub's one door for plugin authors: everything a connector needs is `hub.<name>`."""

from hub.sdk.actions import Action
from hub.sdk.contracts import (
    Delivery,
    Ok,
    Outcome,
    Pending,
    Raw,
    Reject,
    Retry,
    Sink,
    Source,
    Webhook,
)
from hub.sdk.cutting import cut_json
from hub.sdk.errors import (
    BadSignatureError,
    ConfigError,
    CredentialsError,
    HubError,
    MalformedError,
    RateLimitedError,
    RejectedError,
    RetryLaterError,
)
from hub.sdk.events import KINDS, Event, Scalar
from hub.sdk.experts import Expert, feature_rows
from hub.sdk.health import Band, Driver, Health
from hub.sdk.hooks import hookimpl
from hub.sdk.sandbox import Ping, Sandbox, sandbox_page
from hub.sdk.settings import Secrets, VendorSettings

__all__ = [
    "KINDS",
    "Action",
    "BadSignatureError",
    "Band",
    "ConfigError",
    "CredentialsError",
    "Delivery",
    "Driver",
    "Event",
    "Expert",
    "Health",
    "HubError",
    "MalformedError",
    "Ok",
    "Outcome",
    "Pending",
    "Ping",
    "RateLimitedError",
    "Raw",
    "Reject",
    "RejectedError",
    "Retry",
    "RetryLaterError",
    "Sandbox",
    "Scalar",
    "Secrets",
    "Sink",
    "Source",
    "VendorSettings",
    "Webhook",
    "cut_json",
    "feature_rows",
    "hookimpl",
    "sandbox_page",
]
