"""`migrate`: bring the database to this program's schema, before processes of it are started."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli import context
from hub.cli.output import Json, answer, plain, print_json
from hub.sdk.errors import ConfigError
from hub.store import schema, versions
from hub.store.database import Database, look


def migrate(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; status 1 if there is something to do.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make or change the tables as this version needs them. Every other command does it too; a second time is nothing.

    For a deployment it is the step before the new processes: old ones go on working meanwhile.
    """
    settings, _ = context.load()
    name, found = look(settings.database)
    versions.refuse(found, name)
    due = found.schema is None or found.schema < schema.VERSION
    if due and not check:
        if not settings.database_url:
            try:
                settings.data.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigError(f"cannot make the folder {settings.data}: {error.strerror}") from None
        Database(settings.database).close()
    if as_json:
        print_json(
            {"database": name, "from": found.schema, "to": schema.VERSION, "due": due, "done": due and not check}
        )
    else:
        was = "has no tables yet" if found.schema is None else f"has schema {found.schema}"
        if not due:
            said = "nothing to do"
        elif check:
            said = f"`pulsehub migrate` makes it {schema.VERSION}"
        else:
            said = f"it is {schema.VERSION} now"
        answer.print(f"{plain(name)} {was}: {said}")
    if due and check:
        raise typer.Exit(1)
