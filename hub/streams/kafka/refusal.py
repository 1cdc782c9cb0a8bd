"""Why a broker cannot be used at a start: a person must mend something, or it only has to come back."""

from __future__ import annotations

import asyncio
from ssl import SSLCertVerificationError
from typing import Final

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
)

from hub.sdk.errors import ConfigError, HubError
from hub.streams.kafka.broker import Broker
from hub.streams.kafka.outage import say
from hub.streams.log import LogError

_LOGIN: Final = (AuthenticationFailedError, SaslAuthenticationFailed)
_MISTAKES: Final = (
    *_LOGIN,
    ClusterAuthorizationFailedError,
    IllegalSaslStateError,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
    SSLCertVerificationError,
)
_AT_ONCE: Final = 3.0  # seconds for a server to say why


async def refused(broker: Broker, error: Exception) -> HubError:
    """What to raise for what a client's start raised: `ConfigError`, or `LogError` where only time is needed."""
    return judged(broker, await _said(broker) or error if isinstance(error, KafkaConnectionError) else error)


def judged(broker: Broker, error: Exception) -> HubError:
    """Pure."""
    why = "refuses our user or password" if isinstance(error, _LOGIN) else say(error)
    if isinstance(error, _MISTAKES):
        return ConfigError(f"cannot use the broker {broker.place}: {why}")
    advice = "see that it runs, and that PULSEHUB_BROKER_URL names its host and port"
    return LogError(f"cannot use the broker {broker.place}: {why}; {advice}")


async def _said(broker: Broker) -> Exception | None:
    """What the servers say to one connection each: a client's start keeps it to itself. A mistake goes first."""
    answers = await asyncio.gather(*(_ask(broker, server) for server in broker.servers))
    found = [error for error in answers if error is not None]
    return next((error for error in found if isinstance(error, _MISTAKES)), found[0] if found else None)


async def _ask(broker: Broker, server: str) -> Exception | None:
    host, _, port = server.rpartition(":")
    client = broker.client()
    del client["bootstrap_servers"]
    try:
        async with asyncio.timeout(_AT_ONCE):
            connection = await create_conn(host.strip("[]"), int(port), **client)
    except (KafkaError, OSError, TimeoutError) as error:
        return error
    connection.close()
    return None
