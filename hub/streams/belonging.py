"""Which log a database belongs to: offsets of one log say nothing of another.

A prefix that is mistyped names a log that is empty. Taken for the database's own, lost, it would be begun anew at the
offsets that were applied, and all processes with the right prefix would then find theirs moved. So the database keeps
the name of its log: of a broker the cluster's id and our prefix, of a file a number drawn when the file was made.

A log that is lost is the same log, empty: topics that are gone have the name they had. A file has another one when it
is made again; where the database is a file beside it, there is nobody else whose log it could be. What else looks like
a loss may be a slip, and takes a person's word: `pulsehub streams --adopt`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, delete, func, select

from hub.sdk.errors import ConfigError
from hub.store import schema
from hub.store.database import Database
from hub.store.upserts import insert
from hub.streams.log import Reads
from hub.streams.topics import ALL

KEY: Final = "log"
_META = schema.meta
_OFFSETS = schema.offsets
_BASES = schema.bases
_AGAIN: Final = "or, if that log is lost or has moved here, say so: `pulsehub streams --adopt`"


def refuse_kind(database: Database, kind: str) -> None:
    """Say no to a log of another kind before it is opened, for opening a file makes it.

    Raises:
        ConfigError: the database belongs to a log of another kind.
    """
    known = _known(database)
    if known is not None and known.partition(":")[0] != kind:
        raise ConfigError(
            f"the database {database.name} belongs to {_words(known)}, and the log is to be {_kinds(kind)}: mend"
            " PULSEHUB_BROKER_URL; an installation moves by `pulsehub backup` and `pulsehub restore`"
        )


def check(database: Database, stream: Reads) -> None:
    """See that the database may belong to this log; nothing is written.

    Raises:
        ConfigError: it belongs to another one, or nobody can say.
        LogError: the log does not answer.
    """
    known = _known(database)
    if known == stream.identity:
        return
    if known is None and not _behind(database, stream):  # new, or of a release that kept no name
        return
    if not _empty(stream):
        if known is None:
            return  # `aligning` knows more of it
    elif not stream.shared and database.url.get_backend_name() == "sqlite":
        return
    theirs = f"belongs to {_words(known)}" if known else "has applied records of another log, or of one that is lost"
    raise ConfigError(
        f"the database {database.name} {theirs}; the log {stream.place} is {_words(stream.identity)}. Mend"
        f" PULSEHUB_BROKER_URL; {_AGAIN}"
    )


def keep(database: Database, stream: Reads) -> None:
    """Write down that the database belongs to this log."""
    if (name := stream.identity) != _known(database):
        database.write(lambda connection: _keep(connection, name)).result()


def adopt(database: Database, stream: Reads) -> None:
    """Let the database belong to this log, whichever it was before; the next start goes on there, if it can.

    What our offsets were ahead of those of a topic that is not here means nothing any more.
    """
    name = stream.identity
    with database.read() as connection:
        ahead: defaultdict[str, dict[int, int]] = defaultdict(dict)
        for topic, partition, base in connection.execute(select(_BASES)):
            ahead[topic][partition] = base
    anew = [
        topic
        for topic, bases in ahead.items()
        if all(end == bases.get(partition, 0) for partition, end in stream.ends(topic).items())
    ]

    def job(connection: Connection) -> None:
        connection.execute(delete(_BASES).where(_BASES.c.topic.in_(anew)))
        _keep(connection, name)

    database.write(job).result()


def forget(connection: Connection) -> None:
    """Belong to no log, for a database that is about to be filled by a backup."""
    connection.execute(delete(_META).where(_META.c.key == KEY))


def _keep(connection: Connection, name: str) -> None:
    kept = insert(_META).values(key=KEY, value=name)
    connection.execute(kept.on_conflict_do_update(index_elements=["key"], set_={"value": name}))


def _known(database: Database) -> str | None:
    with database.read() as connection:
        found: str | None = connection.scalar(select(_META.c.value).where(_META.c.key == KEY))
    return found


def _behind(database: Database, stream: Reads) -> bool:
    """Whether the log ends before what was applied."""
    furthest = func.max(_OFFSETS.c.next).label("next")
    asked = select(_OFFSETS.c.topic, _OFFSETS.c.partition, furthest).group_by(_OFFSETS.c.topic, _OFFSETS.c.partition)
    with database.read() as connection:
        stood = connection.execute(asked.having(furthest > 0)).all()
    ends: Mapping[str, Mapping[int, int]] = {topic: stream.ends(topic) for topic in {topic for topic, _, _ in stood}}
    return any(ends[topic].get(partition, 0) < next_ for topic, partition, next_ in stood)


def _empty(stream: Reads) -> bool:
    return all(stream.starts(spec.name) == stream.ends(spec.name) for spec in ALL)


def _words(name: str) -> str:
    kind, _, rest = name.partition(":")
    if kind != "kafka":
        return f"the log file of number {rest}"
    cluster, _, prefix = rest.partition("/")
    return f"prefix {prefix} of the Kafka cluster {cluster}"


def _kinds(kind: str) -> str:
    return "a Kafka cluster" if kind == "kafka" else "a file"
