"""The commands, one import each: the table of contents of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli import demo, doctor, explaining, importing, leaving, letters, look, plugins, running, sandbox
from hub.cli.context import choose_config

app = typer.Typer(
    name="pulsehub",
    help="Every customer signal in one stream, every account rescored the moment something happens.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback()
def _settings(
    config: Annotated[
        Path | None,
        typer.Option(help="Settings file; else PULSEHUB_CONFIG, ./pulsehub.toml or <data>/pulsehub.toml."),
    ] = None,
) -> None:
    """Settings come from the file, then from PULSEHUB_* in the environment, which wins."""
    choose_config(config)


app.command("up")(running.up)
app.command("demo")(demo.demo)

app.command("import")(importing.import_file)
app.command("accounts")(look.accounts)
app.command("explain")(explaining.explain)
app.command("events")(look.events)
app.command("deliveries")(leaving.deliveries)
app.add_typer(letters.app, name="deadletters")
app.command("replay")(letters.replay)
app.command("plugins")(plugins.list_plugins)
app.command("sandbox")(sandbox.sandbox)
app.command("doctor")(doctor.doctor)
app.command("version")(plugins.version)
