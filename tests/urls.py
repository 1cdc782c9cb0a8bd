"""A new, empty database of either kind, and its end."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

KINDS = ["sqlite", "postgresql"]


@contextmanager
def fresh(kind: str, folder: Path) -> Iterator[str]:
    """Its URL. Skips the test where there is no server."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'hub.db'}"
        return
    if not (server := os.environ.get("PULSEHUB_TEST_DATABASE")):
        pytest.skip("PULSEHUB_TEST_DATABASE is not set: make servers starts PostgreSQL")
    name = f"t_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
