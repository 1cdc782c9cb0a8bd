"""What an installation knows, apart from when and in what order it came to know it: to compare two of them."""

from collections import Counter
from contextlib import closing, contextmanager

import numpy as np
from sqlalchemy import create_engine, select
from sqlalchemy.pool import NullPool

from hub.registry import Registry
from hub.settings import Settings
from hub.store import schema
from hub.store.database import Database
from hub.streams.accounting import Books, archived, books
from hub.streams.opening import open_log
from hub.streams.sqlite.logfile import LogReader
from scoring.accounts import measures_of, stored
from scoring.loading import load
from scoring.scorers import Scorers


@contextmanager
def reading(place):
    """A look into the database that takes nothing from the hub which may be running on it.

    Args:
        place: the data folder of an embedded installation, or the settings of one on the large engine.
    """
    if isinstance(place, Settings):
        with Database(place.database) as database, database.read() as connection:
            yield connection
        return
    engine = create_engine(f"sqlite:///file:{place}/hub.db?mode=ro&uri=true", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def accounted(place) -> tuple[Books, int]:
    """The books, and the rows of the archive counted one by one."""
    if isinstance(place, Settings):
        with (
            Database(place.database) as database,
            closing(open_log(place.stream, place.topic_partitions, database)) as log,
            database.read() as connection,
        ):
            return books(connection, log), archived(connection)
    with closing(LogReader(place / "streams.db")) as log, reading(place) as connection:
        return books(connection, log), archived(connection)


def applied(place):
    """(connection, event id) -> how often the archive has it.

    Without merges: whether two references are found to be one customer late depends on what came first.
    """
    table = schema.archive
    asked = select(table.c.connection, table.c.event).where(table.c.kind != "account.merged")
    with reading(place) as connection:
        return Counter(tuple(row) for row in connection.execute(asked))


def knowledge(place, at, scoring=None):
    """Everything it knows of its customers.

    Returns:
        measures: account -> its values at `at` in unix seconds, NaN where nothing is known.
        the rest: sets of rows of links, contacts and things, without the moments they were written.
    """
    config = load(scoring, Registry().measures())
    measures = measures_of(config, Scorers(config).names)
    with reading(place) as connection:
        ids = connection.scalars(select(schema.accounts.c.id)).all()
        values = {one: measures.read(stored(connection, one, measures.layout), at)[0] for one in ids}
        of = schema.entities.c
        things = connection.execute(select(of.account, of.reference, of.kind, of.state)).all()
        links = connection.execute(select(schema.links.c.reference, schema.links.c.account)).all()
        people = connection.execute(select(schema.contacts.c.reference, schema.contacts.c.account)).all()
        of = schema.profiles.c
        asked = select(of.account, of.name, of.owner, of.mrr, of.renewal_on).where(of.merged_into.is_(None))
        profiles = connection.execute(asked).all()
    return values, {
        "things": set(map(tuple, things)),
        "links": set(map(tuple, links)),
        "people": set(map(tuple, people)),
        "profiles": set(map(tuple, profiles)),
    }


def assert_same_knowledge(one, other, at, scoring=None, close=1e-5):
    """Fail where two installations differ in what they know; in numbers, by more than that share of them."""
    ours, rows = knowledge(one, at, scoring)
    theirs, their_rows = knowledge(other, at, scoring)
    for name, known in rows.items():
        only = {"ours": known - their_rows[name], "theirs": their_rows[name] - known}
        assert not any(only.values()), f"{name} differ: {only}"
    assert_same_measures(ours, theirs, close)


def assert_same_measures(ours, theirs, close=1e-5):
    """Fail where two installations have other customers, or measure them otherwise."""
    assert ours.keys() == theirs.keys(), f"customers differ: {ours.keys() ^ theirs.keys()}"
    for account in ours:
        np.testing.assert_allclose(ours[account], theirs[account], rtol=close, err_msg=account)
