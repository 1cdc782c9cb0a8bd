"""`merge`: two customers that are one, and taking that back."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy import select

from hub.cli.context import begun, load
from hub.cli.look import find, moment
from hub.cli.output import Json, answer, print_json
from hub.ingest.intake import seal
from hub.sdk.errors import HubError
from hub.sdk.events import Event
from hub.store.database import Database
from hub.store.family import head
from hub.store.schema import merges
from hub.worker.beside import Beside

OURS = "pulsehub"


def merge(
    survivor: Annotated[str, typer.Argument(help="The customer that stays: our id, a reference or the name.")],
    absorbed: Annotated[str, typer.Argument(help="The customer it takes in; with --undo, our id of it.")],
    *,
    why: Annotated[str, typer.Option(help="Kept with the merge.")] = "a person said so",
    undo: Annotated[bool, typer.Option("--undo", help="Take a merge back: both are computed anew.")] = False,
    as_json: Json = False,
) -> None:
    """Make two customers one. The survivor is computed anew from the events of both; --undo takes it apart again.

    It enters by the log, as an event; a running hub does it at once, else it is done when one starts.
    """
    settings, _ = load()
    begun(settings)
    with closing(Beside(settings)) as beside:
        keep, gone = _both(beside.database, survivor, absorbed, undo=undo)
        wall = datetime.now(UTC)
        with beside.database.read() as connection:
            now = moment(connection, settings.clock, wall)
        event = Event(
            id=f"{OURS}:{'separate' if undo else 'merge'}:{gone}:{keep}:{wall.isoformat()}",
            kind="account.merged",
            account=keep,
            occurred_at=now,
            properties={"absorbed": gone, "why": why} | ({"undo": True} if undo else {}),
        )
        intake = beside.intake
        intake.append(intake.pack([seal(event, OURS, wall)], wall.timestamp())).result()
    if as_json:
        print_json({"survivor": keep, "absorbed": gone, "undo": undo, "event": event.id})
    else:
        answer.print(f"{gone} {'is taken out of' if undo else 'becomes part of'} {keep}")


def _both(database: Database, survivor: str, absorbed: str, *, undo: bool) -> tuple[str, str]:
    """Our ids of the two.

    Raises:
        HubError: one is not known, both are the same, or there is no such merge to take back.
    """
    with database.read() as connection:
        keep = find(connection, survivor)
        if undo:
            held_by: str | None = connection.scalar(select(merges.c.survivor).where(merges.c.absorbed == absorbed))
            if held_by is None or head(connection, held_by) != keep:
                raise HubError(f"{absorbed} was not merged into {keep}; a merge is taken back by our two ids")
            return held_by, absorbed  # which may be part of another by now
        gone = find(connection, absorbed)
    if keep == gone:
        raise HubError(f"{survivor} and {absorbed} are one customer already")
    return keep, gone
