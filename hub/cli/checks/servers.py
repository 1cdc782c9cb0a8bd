"""What is asked over a network: whether it answers, and what its clock says."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from typing import Final

import redis
from sqlalchemy import Connection, Double, cast, create_engine, extract, func, make_url, select, text

from hub.cli.checks import Check
from hub.sdk.errors import ConfigError
from hub.settings import Settings
from hub.store.expendable.client import connect
from sinks.email.settings import EmailSettings

_SKEW: Final = 2.0  # seconds between two clocks that are worth a word
_PATIENCE: Final = 3.0  # seconds
_POSTGRESQL: Final = 14  # the least of each, as deploy/README.md says
_REDIS: Final = 7


def cache(settings: Settings) -> Iterator[Check]:
    """Redis, where it is used."""
    if not settings.redis_url:
        return
    try:
        client = connect(settings.redis_url.get_secret_value())
        asked = time.time()
        seconds, micros = client.time()
        yield _clock("redis", seconds + micros / 1e6, asked, time.time())
        yield _redis(str(client.info("server").get("redis_version", "")))
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


def database(url: str) -> Iterator[Check]:
    """A server that has nothing of ours yet."""
    made = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        with made.connect() as connection:
            yield from database_of(connection)
    finally:
        made.dispose()


def database_of(connection: Connection) -> Iterator[Check]:
    """A server's version and clock; a file has none."""
    if connection.dialect.name == "sqlite":
        return
    yield _postgresql(int(connection.scalar(text("show server_version_num")) or 0))
    asked = time.time()  # what came before has connected, so this measures an answer alone
    theirs = connection.scalar(select(cast(extract("epoch", func.clock_timestamp()), Double)))
    yield _clock("database", float(theirs or 0.0), asked, time.time())


def _postgresql(number: int) -> Check:
    """Of what it says as `server_version_num`.

    >>> _postgresql(150018)
    Check(name='versions', state='ok', says='PostgreSQL 15.18')
    >>> _postgresql(130012).state
    'wrong'
    """
    version = f"PostgreSQL {number // 10_000}.{number % 10_000}"
    if number < _POSTGRESQL * 10_000:
        says = f"{version} is older than {_POSTGRESQL}, the least we run on"
        return Check("versions", "wrong", f"{says}: upgrade it")
    return Check("versions", "ok", version)


def _redis(version: str) -> Check:
    """What has the tokens, scripts and expiries that we ask for.

    >>> _redis("7.0.15").state, _redis("6.2.7").state, _redis("").state
    ('ok', 'note', 'note')
    """
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) >= _REDIS:
        return Check("versions", "ok", f"Redis {version}")
    says = f"Redis {version or 'of no version'} is none of those we know: {_REDIS} or later"
    return Check("versions", "note", f"{says}. Upgrade it; all goes on without it, slower")


def _clock(name: str, theirs: float, asked: float, answered: float) -> Check:
    skew = theirs - (asked + answered) / 2
    took = f"answers in {(answered - asked) * 1000:.0f} ms"
    if abs(skew) > _SKEW:
        which = "ahead of" if skew > 0 else "behind"
        return Check(name, "note", f"{took}; its clock is {abs(skew):.0f} s {which} ours: let both follow one (NTP)")
    return Check(name, "ok", took)
