import importlib
import pkgutil

import pytest
from sqlalchemy import Insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.sql.expression import Executable

import hub
import scoring
import sinks
from hub.store.inserting import laid_out

DIALECTS = {"sqlite": sqlite.dialect(), "postgresql": psycopg.dialect(paramstyle="format")}


def statements():
    """Every statement that stands at the top of a module or in a class of ours, by where it stands."""
    for package in (hub, scoring, sinks):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith(("__main__", "migrations.env")):
                continue
            module = importlib.import_module(found.name)
            for name, value in vars(module).items():
                if isinstance(value, Executable) and hasattr(value, "compile"):
                    yield f"{found.name}.{name}", value


FOUND = dict(statements())


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_statement_is_understood_by_both_databases(name, dialect):
    assert str(FOUND[name].compile(dialect=DIALECTS[dialect]))


def takes_rows(statement):
    """Whether its parameters are columns and nothing else."""
    if not isinstance(statement, Insert):
        return False
    return set(statement.compile(dialect=DIALECTS["postgresql"]).positiontup) <= set(statement.table.c.keys())


@pytest.mark.parametrize("name", [name for name, statement in FOUND.items() if takes_rows(statement)])
def test_rows_of_an_insert_go_to_postgresql_as_arrays(name):
    way = laid_out(DIALECTS["postgresql"], FOUND[name])
    assert way.insert.count("%s::") == way.insert.count("%") == len(way.types)


def test_the_upserts_are_among_them():
    assert {"scoring.work.UPSERT", "scoring.profiles.UPSERT_PROFILE", "hub.streams.books._ADVANCE"} <= FOUND.keys()
