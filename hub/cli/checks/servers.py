"""What is asked over a network: whether it answers, and what its clock says."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from typing import Final

import redis
from sqlalchemy import Connection, Double, cast, extract, func, select

from hub.cli.checks import Check
from hub.sdk.errors import ConfigError
from hub.settings import Settings
from hub.store.expendable.client import connect
from sinks.email.settings import EmailSettings

_SKEW: Final = 2.0  # seconds between two clocks that are worth a word
_PATIENCE: Final = 3.0  # seconds


def cache(settings: Settings) -> Iterator[Check]:
    """Redis, where it is used."""
    if not settings.redis_url:
        return
    try:
        client = connect(settings.redis_url.get_secret_value())
        asked = time.time()
        seconds, micros = client.time()
        yield _clock("redis", seconds + micros / 1e6, asked, time.time())
    except ConfigError as error:
        yield Check("redis", "wrong", str(error))
    except redis.RedisError as error:
        said = str(error).split("\n", 1)[0]
        yield Check(
            "redis", "wrong", f"PULSEHUB_REDIS_URL does not answer: {said}. All goes on without it, slower; start it"
        )


def mail(vendors: Mapping[str, str]) -> Iterator[Check]:
    """The mail server, where one is set; a URL that cannot be read is told with the plugins."""
    try:
        ours = EmailSettings.read(vendors)
    except ConfigError:
        return
    if ours is None:
        return
    where = f"{ours.host}:{ours.port}"
    try:
        socket.create_connection((ours.host, ours.port), timeout=_PATIENCE).close()
        yield Check("smtp", "ok", f"{where} answers")
    except OSError as error:
        yield Check("smtp", "wrong", f"{where} of PULSEHUB_SMTP_URL does not answer: {error}")


def database_clock(connection: Connection) -> Iterator[Check]:
    """A server's clock; a file has none."""
    if connection.dialect.name == "sqlite":
        return
    connection.execute(select(1))  # so that what follows measures no connecting
    asked = time.time()
    theirs = connection.scalar(select(cast(extract("epoch", func.clock_timestamp()), Double)))
    yield _clock("database", float(theirs or 0.0), asked, time.time())


def _clock(name: str, theirs: float, asked: float, answered: float) -> Check:
    skew = theirs - (asked + answered) / 2
    took = f"answers in {(answered - asked) * 1000:.0f} ms"
    if abs(skew) > _SKEW:
        which = "ahead of" if skew > 0 else "behind"
        return Check(name, "note", f"{took}; its clock is {abs(skew):.0f} s {which} ours: let both follow one (NTP)")
    return Check(name, "ok", took)
