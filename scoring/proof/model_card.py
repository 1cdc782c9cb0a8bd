"""The model card of an installation: what predicts, for whom, on what, how well, and what not to use it for.

The chapters are those of Mitchell et al., *Model cards for model reporting* (2019). Every figure is the record's; a
figure that labels do not suffice for says what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from scoring.clock import DAY
from scoring.config import Config
from scoring.lessons import MIX
from scoring.model import Missing
from scoring.proof.quality import Segment
from scoring.proof.record import Expert, Record, Spread
from scoring.proof.skill import Figure

WORDS: Final = {
    MIX: "what is shown",
    "scorecard": "the scorecard at its word",
    "scorecard_calibrated": "the scorecard, calibrated",
    "recency": "how long they have been silent",
    "sgd": "a logistic regression (SGD)",
    "adagrad": "a logistic regression (AdaGrad)",
    "bayes": "a logistic regression with a normal belief about its weights",
    "bg_nbd": "each customer against its own past (BG/NBD)",
    "proxy": "what half the horizon teaches",
    "renewal_hazard": "the time to the renewal (a hazard of contracts)",
    "base_rate": "the same of everybody",
}
"""The experts, for people."""


def document(found: Record) -> dict[str, Any]:
    """The record as JSON has it; times are ISO 8601."""
    plain: dict[str, Any] = msgspec.to_builtins(found)
    quality = plain.pop("quality")
    plain |= {name: quality[name] for name in ("gain", "gain_low", "gain_high", "model_version", "weights")}
    plain |= {
        "labels": found.quality.labels,
        "lost": found.quality.lost,
        "accounts": found.quality.accounts,
        "since": _iso(found.quality.since),
        "until": _iso(found.quality.until),
        "trained_through": _iso(found.quality.trained_through or None),
        "next_due": _iso(found.next_due),
        "at": _iso(found.at),
        "missing": found.missing._asdict(),
        "segments": [msgspec.to_builtins(one) | {"missing": one.missing._asdict()} for one in found.quality.segments],
        "months": [one | {"begins": _iso(one["begins"])} for one in plain["months"]],
        "versions": [_version(one) for one in plain["versions"]],
        "horizon_days": found.horizon / DAY,
        "every_days": found.every / DAY,
    }
    if (grows := found.expansion) is not None:
        judged = grows.skill
        plain["expansion"] = {
            "measure": grows.measure,
            "by": grows.by,
            "labels": grows.labels,
            "usual": grows.usual,
            "judged": judged.labels,
            **{name: msgspec.to_builtins(judged.figures[name]) for name in ("auc", "log_loss", "brier", "ece")},
        }
    del plain["horizon"], plain["every"]
    return plain


def _version(one: dict[str, Any]) -> dict[str, Any]:
    alarms = [alarm | {"at": _iso(alarm["at"]), "since": _iso(alarm["since"])} for alarm in one["alarms"]]
    norms = one["norms"] and one["norms"] | {"at": _iso(one["norms"]["at"])}
    told = {"at": _iso(one["at"]), "trained_through": _iso(one["trained_through"]), "alarms": alarms, "norms": norms}
    return one | told


def lacking(missing: Missing) -> str:
    """What is missing before there is a figure, in words.

    >>> lacking(Missing(14, 3, 0))
    'insufficient labels: needs 14 more outcomes, at least 3 of customers who left'
    """
    sides = [
        f"{many:,} of customers who {word}" for many, word in ((missing.lost, "left"), (missing.kept, "stayed")) if many
    ]
    more = f", at least {' and '.join(sides)}" if sides else ""
    return f"insufficient labels: needs {missing.labels:,} more outcomes{more}"


def card(found: Record, config: Config, program: str) -> str:
    """The model card in Markdown.

    Args:
        found: the installation's track record.
        config: in use.
        program: version of Pulsehub.
    """
    chapters = (
        _details(found, config, program),
        _use(found, config),
        _factors(config),
        _metrics(found),
        _evaluation(found),
        _training(found, config),
        _analyses(found),
        _caveats(found, config),
    )
    return "\n\n".join(("# Model card: risk of losing a customer", *chapters)) + "\n"


def _details(found: Record, config: Config, program: str) -> str:
    version = found.quality.model_version
    told = next((one for one in found.versions if one.version == version), None)
    learned = (
        f"version {version}, published {_day(told.at)}, taught by outcomes known until {_day(told.trained_through)}"
        if told
        else "none published yet: health is the scorecard's alone"
    )
    rows = (
        ("Program", f"Pulsehub {program}"),
        ("Models", learned),
        ("Measures and scorecard", config.version),
        ("Kind", "experts, mixed in log odds by exponentiated gradient on their prequential log loss; online"),
        ("Written", f"{_day(found.at)}, by the installation itself, from what it holds"),
    )
    weights = sorted(found.quality.weights.items(), key=lambda pair: -pair[1])
    table = _table(("expert", "what it is", "listened to"), ((n, WORDS.get(n, n), f"{w:.1%}") for n, w in weights))
    return f"## Model details\n\n{_list(rows)}\n\n{table}"


def _use(found: Record, config: Config) -> str:
    outcome = config.scorecard.outcome
    return (
        "## Intended use\n\n"
        f"To say which business customers are likely to be lost within {_days(found.horizon)}, so that people look"
        f" after those first. A customer counts as lost within that time by: {outcome.words}.\n\n"
        "It is read by those who look after customers and by those who plan their work. It is not meant for decisions"
        " about persons, for prices or contracts made without a person, nor for customers of another company than the"
        " one whose outcomes taught it."
    )


def _factors(config: Config) -> str:
    sides: dict[str, list[str]] = {}
    for measure in config.measures:
        sides.setdefault(measure.dimension, []).append(measure.name)
    rows = ((side, ", ".join(names)) for side, names in sides.items())
    cards = ", ".join(card.name for card in config.scorecard.cards) or "none: all customers are weighed alike"
    return (
        "## Factors\n\n"
        f"{_table(('dimension', 'measures'), rows)}\n\n"
        f"Cards of segments: {cards}. No measure reads who a person is; what is counted of persons is how many."
    )


def _metrics(found: Record) -> str:
    every = _days(found.every)
    return (
        "## Metrics\n\n"
        "- **AUC**: of one customer who left and one who stayed, how often the first had been given more risk; within"
        " weeks: of two customers of the same week. 0.5 is guessing.\n"
        "- **log loss** (nats), **Brier**: how far the probabilities were off.\n"
        "- **ECE**: mean distance of what was said from what came true, ten groups of equal size.\n"
        f"- **precision at the top N**: share of the N likeliest, looked at every {every}, who were lost."
        "\n\nIntervals are of 95 % and count customers, not labels."
    )


def _evaluation(found: Record) -> str:
    kind = (
        "predicted since the models are listened to" if found.listened else "all there are: the scorecard's predictions"
    )
    rows = (
        ("Outcomes", f"{found.judged:,} of {found.judged_accounts:,} customers, {found.judged_lost:,} of them lost"),
        ("Which", kind),
        ("Predicted", f"{_day(found.quality.since)} to {_day(found.quality.until)}"),
        ("Not due yet", f"{found.waiting:,} predictions"),
    )
    return (
        "## Evaluation data\n\n"
        f"{_list(rows)}\n\nEach prediction was made a whole horizon before its outcome was known, and judged before it"
        " taught anything (prequentially)."
    )


def _training(found: Record, config: Config) -> str:
    told = found.versions[0] if found.versions else None
    labels = f"{told.labels:,} outcomes, {told.lost:,} of customers who left" if told else "no outcome yet"
    return (
        "## Training data\n\n"
        f"This installation's own customers: {labels}. A customer is put on record every {_days(found.every)}; the"
        f" record teaches when {_days(found.horizon)} have passed, whichever way it ended. Before that health is the"
        f" scorecard's, which takes {config.scorecard.base_rate:.1%} to be lost. No data of anybody else is used."
    )


def _analyses(found: Record) -> str:
    if found.missing.labels:
        return f"## Quantitative analyses\n\n{lacking(found.missing).capitalize()}."
    experts = _table(
        ("expert", "outcomes", "AUC", "AUC within weeks", "log loss", "Brier", "ECE"), map(_judged, found.experts)
    )
    curve = _table(
        ("said", "came true", "95 %", "outcomes"),
        ((f"{g.said:.1%}", f"{g.came:.1%}", f"{g.low:.1%}–{g.high:.1%}", f"{g.labels:,}") for g in found.curve),
    )
    visits = _table(
        ("top", "of them lost", "of all", "losses foreseen", "days before, median"),
        (
            (one.top, _share(one.precision), _share(one.usual), _share(one.found), _number(one.lead_days))
            for one in found.visits
        ),
    )
    months = _table(
        ("month", "outcomes", "lost", "AUC within weeks", "log loss", "log loss of the month's share"),
        (
            (
                f"{datetime.fromtimestamp(one.begins, UTC):%Y-%m}",
                f"{one.labels:,}",
                f"{one.lost:,}",
                _between(one.weekly) if one.weekly else "insufficient labels",
                _between(one.log_loss) if one.log_loss else "–",
                "–" if one.usual is None else f"{one.usual:.3f}",
            )
            for one in found.months
        ),
    )
    return (
        f"## Quantitative analyses\n\n{experts}\n\n{_gain(found)}\n\n{_segments(found)}### Calibration\n\n{curve}\n\n"
        f"### Visiting the likeliest\n\n{visits}\n\n### Over time\n\n{months}{_growth(found)}"
    )


def _growth(found: Record) -> str:
    """The second model: who pays more; nothing where nobody asked."""
    grows = found.expansion
    if grows is None:
        return ""
    what = f"\n\n### Who pays more\n\n{grows.measure} up by {grows.by:.0%} or more within {_days(found.horizon)}"
    if grows.skill.value("auc") is None:
        return (
            f"{what}: insufficient labels. {grows.labels:,} outcomes came due, {grows.skill.labels:,} of them predicted"
            " since there are enough to be listened to; it takes a hundred of those, ten of either end."
        )
    figures = grows.skill.figures
    row = (
        f"{grows.skill.labels:,}",
        *(_figure(figures[name]) for name in ("auc", "log_loss", "brier", "ece")),
        _share(grows.usual),
    )
    return f"{what}.\n\n{_table(('outcomes', 'AUC', 'log loss', 'Brier', 'ECE', 'of all grew'), [row])}"


def _segments(found: Record) -> str:
    """What was shown, in each segment; nothing where there are none."""
    rows = [
        (one.name or "no card", f"{one.labels:,}", f"{one.lost:,}", _of_segment(one)) for one in found.quality.segments
    ]
    return f"### By segment\n\n{_table(('card', 'outcomes', 'lost', 'what was shown'), rows)}\n\n" if rows else ""


def _of_segment(one: Segment) -> str:
    mix = next((skill for skill in one.skills if skill.name == MIX), None)
    if mix is None or mix.auc is None:
        return lacking(one.missing)
    return f"AUC {mix.auc:.3f} ({mix.low:.3f}–{mix.high:.3f}), log loss {mix.log_loss:.3f}, ECE {mix.ece:.3f}"


def _gain(found: Record) -> str:
    quality = found.quality
    if quality.gain is None or quality.gain_low is None or quality.gain_high is None:
        return "The models have not been listened to for long enough to compare them with the scorecard alone."
    return (
        f"AUC beyond the scorecard's, on the same outcomes: {quality.gain:+.3f}"
        f" ({quality.gain_low:+.3f} to {quality.gain_high:+.3f})."
    )


def _caveats(found: Record, config: Config) -> str:
    said = [
        "It knows what the connected systems tell it, and nothing else.",
        "It says who is likely to leave, not why they decide so, nor whether a call will keep them.",
        "Drivers are what speaks for and against, not causes.",
        f"Outcomes are {_days(found.horizon)} late: when the season turns it notices within weeks, not at once.",
        "Customers who were visited because of it may have stayed because of it: it is then judged worse than it was.",
    ]
    if not found.quality.gain_low or found.quality.gain_low <= 0.0:
        said.append("It is not shown that the models predict better than the scorecard alone.")
    said += [
        f"Drift: {WORDS.get(alarm.expert, alarm.expert)} predicts worse than it used to since {_day(alarm.since)}:"
        f" log loss {alarm.now:.3f}, was {alarm.was:.3f}."
        for alarm in (found.versions[0].alarms if found.versions else ())
    ]
    if config.scorecard.outcome.alive:
        said.append("Lost means silent: a customer who comes back after that was called lost all the same.")
    return "## Ethical considerations, caveats and recommendations\n\n" + "\n".join(f"- {one}" for one in said)


def _judged(one: Expert) -> Sequence[object]:
    return (
        one.name,
        f"{one.labels:,}",
        _between(one.auc),
        _between(one.weekly),
        _between(one.log_loss),
        _between(one.brier),
        f"{one.ece:.3f}",
    )


def _between(one: Spread | None) -> str:
    return "–" if one is None else f"{one.value:.3f} ({one.low:.3f}–{one.high:.3f})"


def _figure(one: Figure) -> str:
    interval = "" if one.low is None or one.high is None else f" ({one.low:.3f}–{one.high:.3f})"
    return "–" if one.value is None else f"{one.value:.3f}{interval}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _list(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- **{name}**: {said}" for name, said in rows)


def _table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(_cell(one) for one in row)} |" for row in lines)


def _cell(said: object) -> str:
    return str(said).replace("|", "\\|").replace("\n", " ")


def _days(seconds: float) -> str:
    days = seconds / DAY
    return "1 day" if days == 1.0 else f"{days:g} days"


def _day(at: float | None) -> str:
    return "never" if not at else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def _iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
