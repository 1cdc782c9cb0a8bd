"""`models`: the versions of what was learned, how well they predict, going back to one, and the model card."""

from __future__ import annotations

import time
from importlib import metadata
from typing import Annotated, Any

import msgspec
import typer
from sqlalchemy import Connection

from hub.cli import context
from hub.cli.drafting import in_use
from hub.cli.output import Json, Styled, answer, iso, print_json, print_table, when
from hub.sdk.errors import ConfigError
from hub.store.questions import portfolio
from scoring.experts.drift import Alarm
from scoring.lessons import MIX
from scoring.proof.model_card import card, document
from scoring.proof.quality import Quality, Skill, quality
from scoring.proof.record import TOPS, record
from scoring.published import Mix, Version, forget, go_back, versions

_HEARD = 3  # experts that are named
models = typer.Typer(help="What was learned.", add_completion=False, invoke_without_command=True)


@models.callback()
def list_models(
    ctx: typer.Context,
    *,
    back_to: Annotated[
        int | None, typer.Option("--back-to", help="Publish what this version knew as the next one.", min=1)
    ] = None,
    forgets: Annotated[
        str | None,
        typer.Option("--forget", help="Publish the newest version without what this expert of a plugin learned."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the versions of the models and how well they predict; with --back-to or --forget, publish another.

    Nothing is taken away: either makes a new version, from which learning goes on. A running hub sees it at once.
    """
    if ctx.invoked_subcommand is not None:
        return
    if back_to is not None and forgets is not None:
        raise ConfigError("--back-to and --forget publish a version each: ask for one of them")
    settings, _ = context.load()
    with context.opened(settings) as database:
        if back_to is None and forgets is None:
            with database.read() as connection:
                _list(versions(connection), quality(connection), as_json=as_json)
            return
        made = database.write(lambda connection: _publish(connection, back_to, forgets)).result()
    if as_json:
        print_json(_document(made) | {"knows_what_version": back_to, "forgot": forgets})
    elif forgets is not None:
        answer.print(f"version {made.version} knows nothing of {forgets}, which begins anew with the next labels")
    else:
        answer.print(f"version {made.version} knows what version {back_to} knew: {made.labels:,} labels")


@models.command("card")
def print_card(
    *,
    top: Annotated[
        list[int] | None, typer.Option("--top", help="How many customers can be visited; repeat it.", min=1, max=10_000)
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the model card: what predicts, on what, and how well it did here. Markdown; wholly of what is stored."""
    settings, _ = context.load()
    config = in_use(settings)
    with context.opened(settings) as database, database.read() as connection:
        now = time.time() if settings.clock == "wall" else portfolio.newest(connection) or time.time()
        found = record(connection, config, now, tuple(top or TOPS))
    if as_json:
        print_json(document(found))
    else:
        typer.echo(card(found, config, metadata.version("pulsehub")), nl=False)


def _publish(connection: Connection, back_to: int | None, forgets: str | None) -> Version:
    if back_to is not None:
        return go_back(connection, back_to, time.time())
    return forget(connection, forgets or "", time.time())


def _list(found: list[Version], learned: Quality, *, as_json: bool) -> None:
    if as_json:
        print_json({"versions": [_document(one) for one in found], "quality": quality_document(learned)})
        return
    rows = [
        (one.version, when(one.at), f"{one.labels:,}", f"{one.lost:,}", when(one.trained_through), _heard(one))
        for one in found
    ]
    print_table(
        ("version", "published", "labels", "lost", "trained through", "listened to"),
        rows,
        "No label has come due yet, so nothing was learned: health is the scorecard's.",
    )
    for name, mix in (found[0].segments if found else {}).items():
        answer.print(f"{_called(name)}: {_mixed(mix)}")
    if found and (norms := found[0].norms):
        read = f" (a sample of {norms.read:,})" if norms.read < norms.accounts else ""
        answer.print(f"percentiles: norms {norms.version}, of {norms.accounts:,} customers{read} at {when(norms.at)}")
    for alarm in found[0].alarms if found else ():
        answer.print(f"[yellow]◆[/] {_drifted(alarm)}")
    if learned.labels:
        answer.print()
        _judge(learned)


def _judge(learned: Quality) -> None:
    """How well it predicts: all that are listened to, and the mix in each segment."""
    if learned.missing.labels:
        answer.print(f"[yellow]insufficient labels[/]: {learned.missing.labels:,} more must come due")
        return
    rows = [_row("what was shown" if name == MIX else f"expert {name}", one) for name, one in learned.fair.items()]
    for segment in learned.segments:
        said = _called(segment.name)
        mix = next((one for one in segment.skills if one.name == MIX), None)
        rows.append((said, segment.labels, "insufficient labels") if mix is None else _row(said, mix))
    print_table(("", "labels", "AUC", "log loss", "Brier", "ECE"), rows, "")


def _drifted(alarm: Alarm) -> str:
    who = "the mix" if alarm.expert == MIX else alarm.expert
    return (
        f"{when(alarm.at)}: {who} predicts worse than it used to: log loss {alarm.was:.3f} → {alarm.now:.3f}"
        f" since {when(alarm.since)}; made less sure, it learns anew"
    )


def _called(segment: str) -> str:
    return f"in segment {segment}" if segment else "in no segment"


def _mixed(mix: Mix) -> str:
    return f"{_heard(mix)}; {mix.credibility:.0%} by its own {mix.labels:,} labels; odds times {mix.odds:.2f}"


def _row(said: str, one: Skill) -> tuple[object, ...]:
    auc = "–" if one.auc is None else f"{one.auc:.3f} [dim]{one.low:.3f}–{one.high:.3f}[/]"
    return (said, f"{one.labels:,}", Styled(auc), f"{one.log_loss:.3f}", f"{one.brier:.3f}", f"{one.ece:.3f}")


def quality_document(learned: Quality) -> dict[str, Any]:
    """How well it predicts, as JSON has it."""
    plain: dict[str, Any] = msgspec.to_builtins(learned)
    for segment in plain["segments"]:
        segment["insufficient_labels"] = bool(segment["missing"][0])
    return plain


def _heard(one: Version | Mix) -> str:
    first = sorted(one.weights.items(), key=lambda pair: -pair[1])[:_HEARD]
    return ", ".join(f"{name} {weight:.0%}" for name, weight in first)


def _document(one: Version) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(one)
    alarms = [told | {"at": iso(told["at"]), "since": iso(told["since"])} for told in plain["alarms"]]
    norms = plain["norms"] and plain["norms"] | {"at": iso(plain["norms"]["at"])}
    found = {"at": iso(one.at), "trained_through": iso(one.trained_through), "alarms": alarms, "norms": norms}
    return plain | found
