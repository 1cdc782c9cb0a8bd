"""`backtest`: what would have been, had a draft been in use all along."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
import yaml

from hub.cli import context
from hub.cli.drafting import in_use
from hub.cli.evaluating import duration
from hub.cli.output import Json, Styled, answer, aside, band, iso, print_json, print_table, when
from hub.cli.progress import bar
from hub.sdk.errors import ConfigError
from hub.success.replaying import READING, Archive, Asked, replayed
from scoring.declared import seconds
from scoring.drafts import differences
from scoring.loading import FILES
from scoring.profiles import names
from scoring.proof.backtest import Backtest, Matrix, Side


def backtest_draft(
    draft: Annotated[Path, typer.Argument(help="A folder as PULSEHUB_SCORING names one, or one of its files.")],
    *,
    since: Annotated[str, typer.Option(help="First look: a day such as 2026-01-31, a moment, or 90d ago.")] = "",
    until: Annotated[str, typer.Option(help="Nothing that happened later is read; likewise.")] = "",
    tick: Annotated[str, typer.Option(help="Time between two looks at everybody.")] = "7d",
    most: Annotated[int, typer.Option(help="How many accounts and alerts to name.", min=0, max=1_000)] = 10,
    draws: Annotated[int, typer.Option(help="Of the bootstrap; 0: no intervals.", min=0, max=10_000)] = 50,
    as_json: Json = False,
) -> None:
    """Replay the archive with a draft and with what is in use: who changes band, what leaves, how well each warned.

    At each look every customer is judged by what was known then. Nothing is written; the hub may run meanwhile.
    """
    settings, _ = context.load()
    every = duration("--tick", tick)
    old, new = in_use(settings), in_use(settings, draft, _name(draft))
    now = time.time()
    last = _moment("--until", until, now) if until else now if settings.clock == "wall" else float("inf")
    first = _moment("--since", since, min(last, now)) if since else float("-inf")
    asked = Asked(every, first, last, most, draws, (f"--tick {tick}", "--since", "--until"))
    with bar() as progress, context.opened(settings) as database, database.read() as connection:
        tasks: dict[str, Any] = {}

        def told(step: str, done: int, of: int) -> None:
            task = tasks.setdefault(step, None) or progress.add_task(step, total=of, note="")
            tasks[step] = task
            note = f"{done:,} events" if step == READING else f"{done} of {of} looks"
            progress.update(task, completed=done, total=of, note=note)

        found, archive = replayed(connection, old, new, asked, told)
    if archive.forgotten and not as_json:
        aside.print(
            f"[yellow]◆[/] the archive begins {when(archive.begins)}: whoever was there before is known from then on"
        )
    lines = differences(old, new)
    if as_json:
        print_json(_document(found, lines, archive))
        return
    answer.print("\n".join(lines) or "nothing changes", markup=False)
    _say(found, _names(found))


def _name(draft: Path) -> str:
    """Which of the two files a draft is: by its name, else by what it says."""
    if draft.is_dir() or draft.name in FILES:
        return draft.name
    try:
        said = yaml.safe_load(draft.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return "scorecard.yaml"  # reading it again says what is wrong
    if isinstance(said, list) or (isinstance(said, dict) and "measures" in said):
        return "measures.yaml"
    return "scorecard.yaml"


def _moment(option: str, said: str, now: float) -> float:
    span = seconds(said)
    if isinstance(span, float) and span < float("inf"):
        return now - span
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        raise ConfigError(f"{option} {said!r} is no day, moment or span: 2026-01-31, 2026-01-31T18:00Z, 90d") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _names(found: Backtest) -> dict[str, str]:
    wanted = [one.account for one in found.most]
    wanted += [one.account for side in (found.current, found.draft) for one in side.only]
    with context.reading() as connection:
        return names(connection, wanted)


def _say(found: Backtest, called: dict[str, str]) -> None:
    answer.print(
        f"\n{found.looks} looks from {when(found.begins)} to {when(found.ends)}: at the last {found.changed:,} of"
        f" {found.accounts:,} accounts would be in another band, {found.ever:,} were at one look or another\n"
    )
    print_table(
        ("band in use", *(band(name) for name in found.last)),
        [(band(name), *_row(row, name)) for name, row in _some(found.last).items()],
        "",
    )
    answer.print("[dim]rows: in use; columns: with the draft; at the last look[/]\n")
    print_table(("", "in use", "with the draft"), _figures(found), "")
    if found.current.warning.insufficient or found.draft.warning.insufficient:
        answer.print("[yellow]insufficient labels[/]: at least 100 looks, 10 of each kind, must have come due")
    if not found.same_outcome:
        answer.print(
            "[yellow]◆[/] the draft means something else by losing a customer: each is judged by its own definition"
        )
    if found.most:
        answer.print()
        print_table(
            ("account", "health", "with the draft", "band", "with the draft"),
            [
                (
                    called.get(o.account) or o.account,
                    _points(o.health),
                    _points(o.draft),
                    band(o.band),
                    band(o.draft_band),
                )
                for o in found.most
            ],
            "",
        )
    for side, who in ((found.draft, "the draft"), (found.current, "what is in use")):
        if side.only:
            answer.print(f"\nonly {who} would have told of {side.alone:,} accounts:")
            rows = [(called.get(o.account) or o.account, when(o.at), f"{o.health:.1f}") for o in side.only]
            print_table(("account", "first alert", "health"), rows, "")
    answer.print(f"\n[dim]{found.current.version} -> {found.draft.version}[/]")


def _figures(found: Backtest) -> list[tuple[object, ...]]:
    def row(label: str, of: Any) -> tuple[object, ...]:
        return label, of(found.current), of(found.draft)

    return [
        row("alerts", lambda s: f"{s.alerts:,}"),
        row("  came due, customer lost", lambda s: f"{s.warning.alerts:,}, {s.warning.alerts_right:,}"),
        row("field writes", lambda s: f"{s.writes:,}"),
        row("at risk: of them lost", lambda s: _share(s.warning.precision)),
        row("lost: seen at risk before", lambda s: _share(s.warning.recall)),
        row("  days before, median", lambda s: _points(s.warning.lead_days)),
        *(row(label, lambda s, key=key: _figure(s, key)) for label, key in _SKILLS),
    ]


_SKILLS: Final = (("AUC of the risk", "auc"), ("log loss", "log_loss"), ("ECE", "ece"))


def _figure(side: Side, key: str) -> Styled:
    figure = side.skill.figures[key]
    spread = "" if figure.low is None else f" [dim]{figure.low:.3f}–{figure.high:.3f}[/]"
    return Styled("–" if figure.value is None else f"{figure.value:.3f}{spread}")


def _some(matrix: Matrix) -> Matrix:
    return {name: row for name, row in matrix.items() if any(row.values())}


def _row(row: dict[Any, int], own: str) -> list[object]:
    return [Styled(f"[dim]{many:,}[/]") if name == own or not many else f"{many:,}" for name, many in row.items()]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _points(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _document(found: Backtest, lines: list[str], archive: Archive) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(found)
    for side in ("current", "draft"):
        for alert in plain[side]["only"]:
            alert["at"] = iso(alert["at"])
    return {
        "from": found.current.version,
        "to": found.draft.version,
        "changes": lines,
        "archive": {"begins": iso(archive.begins), "events": archive.events, "forgotten": archive.forgotten},
        **plain,
        "begins": iso(found.begins),
        "ends": iso(found.ends),
    }
