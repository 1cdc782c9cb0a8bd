"""`deliveries`: what left for other systems, and how it went."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
import typer

from hub.cli.context import load, opened, reading
from hub.cli.look import Limit, find
from hub.cli.output import Json, Styled, answer, aside, iso, plain, print_json, print_table, when
from hub.store.questions import way
from sinks.fields_queue import FieldsQueue


def deliveries(
    *,
    sink: Annotated[str | None, typer.Option(help="Only this destination.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this customer: id, reference or name.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only attempts that were refused or put off.")] = False,
    again: Annotated[
        str | None,
        typer.Option(help="Push all this destination should show once more, as after it was restored from a backup."),
    ] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List the attempts to deliver, newest first, and how each destination does."""
    if again:
        settings, _ = load()
        with opened(settings) as database:
            many = database.write(FieldsQueue(again).again).result()
        aside.print(f"{many} accounts are due again at {plain(again)}")
        sink = sink or again
    with reading() as connection:
        whose = find(connection, account) if account else None
        attempts, _ = way.receipt_list(connection, limit=limit, sink=sink, account=whose, failed=failed)
        every = [one for one in way.every_destination(connection, time.time()) if sink in (None, one.sink)]
    if as_json:
        rows = [
            {name: getattr(one, name) for name in one.__dataclass_fields__}
            | {"at": iso(one.at), "fields": msgspec.json.decode(one.fields)}
            for one in attempts
        ]
        print_json({"deliveries": rows, "destinations": [msgspec.to_builtins(one) for one in every]})
        return
    print_table(
        ("destination", "due", "pending", "delivered", "rejected", "last delivered", "state"),
        [
            (
                one.sink,
                one.states.get("due", 0),
                one.states.get("pending", 0),
                one.states.get("shown", 0) + one.states.get("sent", 0),
                one.states.get("rejected", 0),
                when(one.last_ok_at),
                Styled(f"[yellow]paused[/]: {plain(one.reason or 'by hand')}") if one.paused else "open",
            )
            for one in every
        ],
        "No destination was used yet. `pulsehub plugins` shows which are configured: Salesforce, Zendesk, e-mail and "
        "webhooks are, once they have settings.",
    )
    if attempts:
        answer.print()
        print_table(
            ("when", "destination", "account", "outcome", "attempt", "took", "reason"),
            [
                (when(one.at), one.sink, one.account, one.outcome, one.attempt, f"{one.took * 1000:.0f} ms", one.reason)
                for one in attempts
            ],
            "",
        )
