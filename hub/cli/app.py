"""The commands: the table of contents of the command line.

A command's module is imported when it is used, so that `pulsehub version` does not load what `pulsehub up` needs.
"""

from __future__ import annotations

import gc
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from hub.cli.context import choose_config
from hub.cli.summaries import summary

COMMANDS: Final = {
    "up": "hub.cli.running:up",
    "web": "hub.cli.running:web",
    "worker": "hub.cli.running:worker",
    "learner": "hub.cli.running:learner",
    "demo": "hub.cli.demo:demo",
    "import": "hub.cli.importing:import_file",
    "evaluate": "hub.cli.evaluating:evaluate",
    "accounts": "hub.cli.look:accounts",
    "explain": "hub.cli.explaining:explain",
    "ledger": "hub.cli.supposing:ledger",
    "what-if": "hub.cli.supposing:what_if",
    "value": "hub.cli.valuing:value",
    "next": "hub.cli.next:next_action",
    "events": "hub.cli.look:events",
    "sentiment": "hub.cli.sentiment:sentiment",
    "merge": "hub.cli.merging:merge",
    "measures": "hub.cli.drafting:measures",
    "scorecard": "hub.cli.drafting:scorecard",
    "backtest": "hub.cli.backtesting:backtest_draft",
    "override": "hub.cli.overriding:override",
    "models": "hub.cli.models:models",
    "deliveries": "hub.cli.leaving:deliveries",
    "deadletters": "hub.cli.letters:app",
    "replay": "hub.cli.letters:replay",
    "plugins": "hub.cli.plugins:list_plugins",
    "sandbox": "hub.cli.sandbox:sandbox",
    "streams": "hub.cli.streams:streams",
    "backup": "hub.cli.backup:backup",
    "restore": "hub.cli.backup:restore",
    "migrate": "hub.cli.migrate:migrate",
    "doctor": "hub.cli.doctor:doctor",
    "version": "hub.cli.plugins:version",
}


class _Commands(TyperGroup):
    _listing = False  # only their summaries are asked for

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's shape
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - click's shape
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        if self._listing:
            return TyperCommand(cmd_name, help=summary(module, name))
        gc.disable()  # what is imported stays: to walk it again and again is a fifth of a start
        try:
            found = getattr(import_module(module), name)
        finally:
            gc.enable()
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
            alone.command(cmd_name)(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="pulsehub",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback()
def _pulsehub(
    config: Annotated[
        Path | None,
        typer.Option(help="Settings file; else PULSEHUB_CONFIG, ./pulsehub.toml or <data>/pulsehub.toml."),
    ] = None,
) -> None:
    """Every customer signal in one stream, every account rescored the moment something happens.

    Settings come from a file, then from PULSEHUB_* in the environment, which wins.
    """
    choose_config(config)
