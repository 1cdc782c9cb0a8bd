"""`evaluate`: how well would it have predicted? The past replayed point-in-time, beside who else predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
import typer
from pydantic import ValidationError
from rich.progress import Progress

from hub import settings as settings_of
from hub.cli import context, losing
from hub.cli.output import Json, Styled, answer, aside, plain, print_json, print_table
from hub.cli.progress import bar
from hub.ingest.importing import Counts, Importer, Plan, load_map
from hub.ingest.importing import Progress as Reading
from hub.registry import Registry
from hub.sdk.errors import ConfigError, MalformedError
from hub.sealing import Seal
from hub.success.replaying import MOST_TICKS, refuse_many
from scoring.config import Config
from scoring.declared import seconds
from scoring.experts.recency import sign_of_life
from scoring.experts.seating import seated
from scoring.features import feature_names
from scoring.loading import load as load_config
from scoring.measures import MeasureSet
from scoring.outcome import Expansion, Outcome
from scoring.proof.growing import Growing
from scoring.proof.prequential import Rival, play
from scoring.proof.report import Report, document, report, table
from scoring.proof.rivals import BOOSTING, LOGISTIC, RULE, Boosting, Logistic, Rule
from scoring.proof.skill import Skill
from scoring.proof.story import Story, Told
from scoring.proof.suggest import Fact, suggested
from scoring.ways import percent, span

_WORDS: Final = {
    "mixture": "what would have been shown",
    RULE: "rule: the longer silent",
    LOGISTIC: "logistic regression, weekly",
    BOOSTING: "gradient boosting, weekly",
}


def evaluate(
    file: Annotated[Path, typer.Argument(help="CSV or JSON lines; plain, gz, xz or zst.", exists=True, dir_okay=False)],
    *,
    map_file: Annotated[Path, typer.Option("--map", help="YAML: which column is what.", exists=True, dir_okay=False)],
    lost_after: Annotated[str, typer.Option(help="Silence after which a customer is lost, such as 60d.")] = "",
    tick: Annotated[str, typer.Option(help="Time between two looks at everybody.")] = "7d",
    kinds: Annotated[
        list[str] | None, typer.Option(help="Kinds of events whose silence counts; all signs of life unless given.")
    ] = None,
    lost_when: Annotated[list[str] | None, typer.Option(help=losing.HELP)] = None,
    within: Annotated[str, typer.Option(help="How far ahead it is predicted; --lost-after unless given.")] = "",
    expansion: Annotated[
        str, typer.Option(help="Also predict who pays more, as MEASURE:10%; else as the scorecard says.")
    ] = "",
    scoring: Annotated[
        Path | None,
        typer.Option(
            help="Folder of measures.yaml and scorecard.yaml; else what came with the map.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    top: Annotated[int, typer.Option(help="How many customers can be visited at each look.", min=1)] = 50,
    rivals: Annotated[bool, typer.Option(help="Compare with a rule and with models trained anew at each look.")] = True,
    draws: Annotated[int, typer.Option(help="Of the bootstrap; 0: no intervals.", min=0, max=10_000)] = 200,
    as_json: Json = False,
) -> None:
    """Prove how well it predicts: replay a file as it happened, and judge every prediction once its horizon is over.

    At each look every customer gets a prediction by what was known then; labels teach when their whole horizon has
    passed. Nothing is written. Without measures of its own a file is judged by measures made of its map.
    """
    plan = load_map(map_file)
    asked = Asked(
        lost_after, kinds or [], [losing.way(one) for one in lost_when or []], within, losing.growing(expansion)
    )
    config = _config(plan, map_file, scoring, asked, tick)
    with bar() as progress:
        told, counts = _told(plan, file, config, progress)
        if not len(told):
            raise ConfigError(f"{file} has no events by {map_file}: `pulsehub import --dry-run` shows why")
        outcome = config.scorecard.outcome
        if (told.time[-1] - told.time[0]) / outcome.every > MOST_TICKS:
            raise ConfigError(f"--tick {tick} would look at everybody more than {MOST_TICKS:,} times: make it longer")
        task = progress.add_task("replaying", total=None, note="")
        panel = seated(Registry(), Seal.once())
        played = play(
            told,
            config,
            _rivals(config) if rivals else [],
            lambda done, ticks: progress.update(task, completed=done, total=ticks, note=f"{done} of {ticks} looks"),
            panel=panel,
        )
    _say_rejected(counts, plan)
    for name, problem in ({} if panel is None else panel.troubles).items():
        aside.print(f"[yellow]◆[/] the expert {name} was left out: {plain(problem)}")
    cards = [card.name for card in config.scorecard.cards]
    expects = config.scorecard.expansion
    found = report(played, told, outcome, top=top, draws=draws, cards=cards, expansion=expects)
    if as_json:
        rows = {"read": counts.read, "rejected": counts.rejected, "reasons": counts.reasons}
        print_json(document(found) | {"rows": rows})
    else:
        _say(found, outcome)


class Asked(NamedTuple):
    """What the command line says of losing a customer, as it is written there."""

    after: str
    kinds: list[str]
    ways: list[dict[str, Any]]
    within: str
    expansion: Expansion | None


def _config(plan: Plan, map_file: Path, scoring: Path | None, asked: Asked, tick: str) -> Config:
    every, silence = duration("--tick", tick), duration("--lost-after", asked.after) if asked.after else None
    horizon = duration("--within", asked.within) if asked.within else silence
    settings, _ = context.load()
    folder = scoring or settings.scoring or _beside(map_file)
    if folder is None:
        if horizon is None:
            raise ConfigError("say after how long a silence a customer is lost: --lost-after 60d; or --within how long")
        if silence is None and not asked.ways:
            raise ConfigError("say what losing a customer means: --lost-after 60d, or --lost-when")
        refuse_many(horizon, every, f"--tick {tick}")
        config = suggested(_facts(plan), horizon=horizon, every=every, lost=asked.kinds)
    else:
        config = load_config(folder, Registry().measures())
    was = config.scorecard.outcome
    refuse_many(horizon or was.horizon, every, f"--tick {tick}")
    changed = was.model_dump() | {"every": every, "horizon": horizon or was.horizon}
    silent = asked.kinds or sorted(was.alive)
    if silence is not None and not silent:
        raise ConfigError(
            f"{folder} says that customers are lost by {was.words}: to judge silence, say of what with --kinds"
        )
    if asked.ways:
        ways = asked.ways if silence is None else [{"silent": silent, "after": silence}, *asked.ways]
        changed = {name: said for name, said in changed.items() if name != "kinds"} | {"silence": False, "any": ways}
    elif silence is not None:
        changed = {name: said for name, said in changed.items() if name != "any"}
        changed |= {"kinds": silent, "silence": True, "back": []}
    outcome = losing.outcome(changed)
    card = config.scorecard.model_copy(
        update={"outcome": outcome, "expansion": asked.expansion or config.scorecard.expansion}
    )
    try:
        return Config.model_validate(config.model_dump() | {"scorecard": card.model_dump()})
    except ValidationError as error:
        raise ConfigError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _facts(plan: Plan) -> list[Fact]:
    return [
        Fact(
            rule.kind,
            amount=rule.amount is not None,
            value=rule.value is not None,
            contact=rule.contact is not None,
            entity=rule.entity is not None,
            renews="renewal_on" in rule.properties,
        )
        for rule in plan.events
    ]


def _beside(map_file: Path) -> Path | None:
    """The measures that came with a map, as an import would take them."""
    there = map_file.parent / "pulsehub.toml"
    return settings_of.load({}, there)[0].scoring if there.is_file() else None


def duration(name: str, said: str) -> float:
    """What an option says as seconds; more than none, and not for ever."""
    found = seconds(said)
    if not isinstance(found, float) or not 0.0 < found < np.inf:
        raise ConfigError(f"{name} {said} is no time: write it as 60d, 12h or 2w")
    return found


def _told(plan: Plan, file: Path, config: Config, progress: Progress) -> tuple[Told, Counts]:
    story, counts = Story(MeasureSet(config)), Counts()
    task = progress.add_task("reading", total=None, note="")
    importer = Importer(plan, file, None, file.parent)  # type: ignore[arg-type]  # appends nothing
    known: set[str] = set()

    def move(where: Reading) -> None:
        nonlocal counts
        counts = where.counts
        progress.update(task, completed=where.taken, total=where.size, note=f"{counts.events:,} events")

    try:
        for events in importer.read(move):
            new = [event for event in events if not (event.id in known or known.add(event.id))]  # type: ignore[func-returns-value]
            story.tell(new, [event.account for event in new])
    except MalformedError as error:
        aside.print(f"[yellow]◆[/] {file} could not be read to its end: {error}; judged is what came before")
    return story.end(), counts


def _say_rejected(counts: Counts, plan: Plan) -> None:
    """Which rows are not judged, and why; what the map itself rejects is meant to be left out."""
    meant = {rule.reason for rule in plan.reject}
    for reason, rows in sorted(counts.reasons.items(), key=lambda one: -one[1]):
        if reason not in meant:
            aside.print(f"[yellow]◆[/] {rows:,} of {counts.read:,} rows are left out: {plain(reason)}")


def _rivals(config: Config) -> list[Rival]:
    names = feature_names([measure.name for measure in config.measures])
    silence = sign_of_life(config.measures, config.scorecard.outcome)
    found: list[Rival] = [Rule(names.index(silence))] if silence else []
    found.append(Logistic())
    try:
        found.append(Boosting())
    except (ImportError, OSError):
        aside.print("gradient boosting is left out: `pip install lightgbm` adds it")
    return found


def _say(found: Report, outcome: Outcome) -> None:
    answer.print(
        f"{found.accounts:,} customers, looked at {found.ticks} times;"
        f" lost: {outcome.words} within {span(outcome.horizon)}.\n"
        f"{found.labels:,} predictions came due and {found.pending:,} have not yet;"
        f" the {found.compared:,} made since there are labels enough are compared."
    )
    if found.mixture.value("auc") is None:
        answer.print(
            "[yellow]insufficient labels[/]: at least 100, 10 of each kind, must come due before anything can be said"
        )
        return
    answer.print()
    print_table(
        ("", "AUC", "log loss", "Brier", "ECE", "CPU s"),
        [
            *(_row(name, one, found) for name, one in table(found).items()),
            *(_segment(name, one.mixture, found) for name, one in found.segments.items()),
        ],
        "",
    )
    shown = found.visits["mix"]
    if shown.precision is not None and shown.usual is not None:
        lead = "" if shown.lead_days is None else f", half of them seen {shown.lead_days:.0f} days or more before"
        answer.print(
            f"\nOf the {shown.top} likeliest at each look who were not lost already"
            f" {shown.precision:.0%} were lost{lead}; of all of them {shown.usual:.0%}."
        )
    if found.expansion is not None:
        _say_growing(found.expansion, outcome)
    answer.print(
        f"[dim]95 % intervals draw whole customers; what was learned takes {found.state_bytes / 1024:.0f} KB[/]"
    )


def _say_growing(found: Growing, outcome: Outcome) -> None:
    grows = f"{found.measure} up by {percent(found.by)} or more within {span(outcome.horizon)}"
    usual = "" if found.usual is None else f" of all {found.usual:.1%}"
    if found.skill.value("auc") is None:
        answer.print(f"\n{grows}:{usual}; [yellow]insufficient labels[/] ({found.skill.labels:,}) to say how well")
        return
    answer.print(f"\n{grows}:{usual}; foretold, of {found.skill.labels:,} predictions:")
    print_table(("", "AUC", "log loss", "Brier", "ECE"), [("likely to pay more", *_cells(found.skill)[:4])], "")


def _segment(name: str, one: Skill, found: Report) -> tuple[object, ...]:
    said = f"the same in segment {name}" if name else "the same in no segment"
    if one.value("auc") is None:
        return (said, Styled(f"[yellow]insufficient labels[/] ({one.labels:,})"))
    return (f"{said}, {one.labels / found.compared:.0%}", *_cells(one))


def _cells(one: Skill) -> list[Styled]:
    cells = []
    for key in ("auc", "log_loss", "brier", "ece"):
        figure = one.figures[key]
        spread = "" if figure.low is None else f" [dim]{figure.low:.3f}–{figure.high:.3f}[/]"
        cells.append(Styled("–" if figure.value is None else f"{figure.value:.3f}{spread}"))
    return cells


def _row(name: str, one: Skill, found: Report) -> tuple[object, ...]:
    cells = _cells(one)
    cpu = found.cpu_s.get(name)
    label = _WORDS.get(name, f"expert {name}, weight {found.weights.get(name, 0.0):.0%}")
    return (Styled(f"[bold]{label}[/]") if name == "mixture" else label, *cells, "" if cpu is None else f"{cpu:.1f}")
