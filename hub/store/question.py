"""A question that is sent now and whose answer is heard when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Select

Answer = Callable[[], Sequence[Any]]


class Question:
    """A statement with all its values. Define it once, where it is asked often: laying it out costs more."""

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self._written: dict[str, str] = {}

    def ask(self, connection: Connection) -> Answer:
        """Its rows, with columns as attributes. They are those of the moment at which it is asked.

        Where statements are sent ahead (`hub.store.ahead`) several questions cost one trip; elsewhere each is
        answered at once.

        Raises:
            DBAPIError: here or when the answer is heard, of this or of a statement before it.
        """
        dialect = connection.dialect
        if (written := self._written.get(dialect.name)) is None:
            compiled = self._statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
            written = self._written[dialect.name] = str(compiled)
        if dialect.name == "postgresql":
            from hub.store.ahead import asked  # noqa: PLC0415 - a file needs no psycopg

            return asked(connection, written)
        rows = connection.exec_driver_sql(written).all()
        return lambda: rows
