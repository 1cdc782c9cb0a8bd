"""`deadletters` and `replay`: what could not be taken, and trying it again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated

import httpx
import msgspec
import typer

from hub.cli import context
from hub.cli.look import Limit
from hub.cli.output import Json, answer, iso, print_json, print_table, visible, when
from hub.ingest.deadletters import Dead
from hub.ingest.intake import Intake
from hub.ingest.replay import Replay, Replayed, replay_raw
from hub.registry import Configured, Registry
from hub.sdk.errors import ConfigError, HubError
from hub.store.database import Database
from hub.store.questions import way
from hub.streams.log import Log
from hub.worker.beside import Beside
from sinks.delivery import replay as deliver_again

app = typer.Typer(
    help="What could not be taken, with its bytes and its reason.", no_args_is_help=True, add_completion=False
)
Ids = Annotated[list[str] | None, typer.Argument(help="Ids of dead letters.")]


@app.command("list")
def list_letters(
    *,
    state: Annotated[str, typer.Option(help="open, replayed or all.")] = "open",
    connection: Annotated[str | None, typer.Option(help="Only of this connection.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List dead letters, newest first."""
    if state not in ("open", "replayed", "all"):
        raise ConfigError(f"--state {state} is none of open, replayed, all")
    with context.reading() as reading:
        found, _ = way.letters(reading, limit=limit, state=None if state == "all" else state, source=connection)
    if as_json:
        print_json({"dead_letters": [_row(letter) for letter in found]})
        return
    print_table(
        ("id", "when", "stage", "connection", "reason", "state"),
        [(one.id, when(one.at), one.stage, one.connection, one.reason, one.state) for one in found],
        "No dead letters. What a plugin cannot read, an agent cannot apply or a destination refuses appears here.",
    )


@app.command("show")
def show_letter(letter: Annotated[str, typer.Argument(help="Its id.")], *, as_json: Json = False) -> None:
    """Show one dead letter with its bytes."""
    with context.reading() as reading:
        found = way.letter(reading, letter)
    if found is None:
        raise HubError(f"there is no dead letter {letter!r}")
    if as_json:
        print_json(_row(found) | {"body": found.body.decode("utf-8", "backslashreplace")})
        return
    for name, value in _row(found).items():
        answer.print(visible(f"{name:<11} {value}"), markup=False)
    answer.print()
    answer.print(visible(found.body.decode("utf-8", "backslashreplace")), markup=False)


@app.command("replay")
def replay_letters(
    ids: Ids = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that are open.")] = False,
    as_json: Json = False,
) -> None:
    """Try dead letters again, with the plugins as they are now."""
    if bool(ids) == everything:
        raise ConfigError("give ids of dead letters, or --all")
    with _bench() as (database, intake, configured, _):
        sinks = {sink.name for sink in configured.sinks}

        def deliver(letter: Dead) -> bool:
            key = str(letter.context.get("key") or "") or None
            return letter.connection in sinks and (
                database.write(lambda connection: deliver_again(connection, letter.connection, key)).result() > 0
            )

        done = Replay(database, intake, configured.sources, configured.versions, deliver).run(ids or None)
    _say(done, as_json=as_json)


def replay(
    connection: Annotated[str, typer.Argument(help="A connection whose bodies are kept.")],
    *,
    hours: Annotated[float, typer.Option(min=0, help="How far back; bodies are kept for 7 days.")] = 168.0,
    as_json: Json = False,
) -> None:
    """Read a connection's kept bodies again, with its plugin as it is now; what is known already changes nothing."""
    with _bench() as (_, intake, configured, log):
        source = next((one for one in configured.sources if one.name == connection), None)
        if source is None:
            raise ConfigError(f"no connection is called {connection!r}; `pulsehub plugins` lists them")
        if not source.keeps_raw:
            raise ConfigError(f"{connection} keeps no bodies")
        done = Replayed()
        for done in replay_raw(source, log, intake, time.time() - hours * 3600, configured.versions[connection]):  # noqa: B007 - the last says all
            pass
    _say(done, as_json=as_json)


@contextmanager
def _bench() -> Iterator[tuple[Database, Intake, Configured, Log]]:
    """The installation's parts that a replay needs; beside a running hub or without one."""
    settings, vendors = context.load()
    configured = Registry().configure(vendors, httpx.AsyncClient(), settings.connections)
    context.begun(settings)
    with closing(Beside(settings)) as beside:
        yield beside.database, beside.intake, configured, beside.log


def _say(done: Replayed, *, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(done))
    else:
        answer.print(
            f"{done.letters} dead letters revived; {done.accepted} events accepted, {done.duplicates} known before"
        )
        for letter, reason in done.failed.items():
            answer.print(visible(f"  {letter}: {reason}"), markup=False)
    if done.failed:
        raise typer.Exit(1)


def _row(letter: way.Letter) -> dict[str, object]:
    return {
        "id": letter.id,
        "at": iso(letter.at),
        "stage": letter.stage,
        "connection": letter.connection,
        "reason": letter.reason,
        "version": letter.version,
        "context": msgspec.json.decode(letter.context),
        "state": letter.state,
    }
