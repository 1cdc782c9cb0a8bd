"""What a replay proves, side by side: every expert, their mix, and who else predicted, on the same labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from scoring.arrays import Floats, Mask
from scoring.batch import Integers
from scoring.clock import DAY
from scoring.families.segments import DEFAULT
from scoring.growth import NAMES as GROWTH
from scoring.lessons import MIX
from scoring.model import HALFWAY
from scoring.outcome import Expansion, Outcome
from scoring.proof.growing import Growing, growing
from scoring.proof.prequential import CONTENDERS, Played, Snapshots
from scoring.proof.skill import Skill, skill
from scoring.proof.story import Told

_MONTH: Final = 30.0 * DAY


class Visits(msgspec.Struct, frozen=True, kw_only=True):
    """What comes of visiting the likeliest to be lost, each time one looks, of those who are not lost already.

    Attributes:
        top: how many are visited.
        precision: share of them who would have been lost.
        usual: share of all of them; what visiting anybody would find.
        lead_days: median days from the visit to the loss (the event, or the end of a horizon's silence) of those who
            were lost; None if nobody was.
    """

    top: int
    precision: float | None
    usual: float | None
    lead_days: float | None


class Span(msgspec.Struct, frozen=True):
    """Thirty days of predictions by the mix.

    Attributes:
        begins: unix seconds.
        skill: without intervals.
    """

    begins: float
    skill: Skill


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """How customers of one segment were predicted, on the labels that are compared.

    Attributes:
        experts: by name, without intervals.
        mixture: what would have been shown.
    """

    experts: dict[str, Skill]
    mixture: Skill


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison.

    Attributes:
        ticks: how often everybody was looked at.
        labels: predictions that matured, all told.
        compared: those since the models are listened to, which is when everybody else begins to predict as well.
        pending: predictions whose horizon reaches beyond the data.
        accounts: customers in the data.
        lost: share of the compared that ended lost.
        experts: by name.
        mixture: what would have been shown.
        baselines: by name.
        visits: by name, of the mixture and the baselines.
        spans: the mixture over time.
        segments: by the name of the card they were weighed by, `` for whoever no card fits; empty where there are none.
        weights: how much each expert is listened to at the end.
        cpu_s: processor seconds by who took them; `mixture` is all our learning and predicting.
        state_bytes: size of all that was learned.
        expansion: who pays more; None: nobody asks.
    """

    ticks: int
    labels: int
    compared: int
    pending: int
    accounts: int
    lost: float | None
    experts: dict[str, Skill]
    mixture: Skill
    baselines: dict[str, Skill]
    visits: dict[str, Visits]
    spans: list[Span]
    segments: dict[str, Segment]
    weights: dict[str, float]
    cpu_s: dict[str, float]
    state_bytes: int
    expansion: Growing | None = None


def report(
    played: Played,
    told: Told,
    outcome: Outcome,
    *,
    top: int,
    draws: int,
    cards: Sequence[str] = (),
    expansion: Expansion | None = None,
) -> Report:
    """Judge a replay.

    Args:
        played: it.
        told: what happened.
        outcome: what losing a customer means.
        top: how many customers can be visited each time.
        draws: of the bootstrap, for the intervals.
        cards: names of the scorecard's, in its order: the segments.
        expansion: what paying more means; None: nobody asks.
    """
    heard = [one for one in played.snapshots if one.trusted]
    lost, who = _joined((one.lost for one in heard), bool), _joined((one.accounts for one in heard), np.int64)
    said = np.concatenate([one.said for one in heard]) if heard else np.zeros((0, len(played.contenders)))
    columns = {name: said[:, place] for place, name in enumerate(played.contenders)}
    experts = [name for name in played.contenders if name not in (MIX, HALFWAY, *GROWTH)]
    names = heard[-1].rivals if heard else {}
    columns |= {name: _joined((_rival(one, name) for one in heard), float) for name in names}
    skills = {name: _judged(columns[name], lost, who, draws) for name in (*experts, MIX, *names)}
    cpu = dict(played.cpu)
    cpu["mixture"] = cpu.pop("learn") + cpu.pop("predict")
    return Report(
        ticks=len(played.snapshots),
        labels=sum(len(one.lost) for one in played.snapshots),
        compared=len(lost),
        pending=played.pending,
        accounts=len(told.accounts),
        lost=float(lost.mean()) if len(lost) else None,
        experts={name: skills[name] for name in experts},
        mixture=skills[MIX],
        baselines={name: skills[name] for name in names},
        visits={name: _visits(heard, told, outcome, name, top) for name in (MIX, *names)},
        spans=_spans(heard),
        segments=_segments(heard, cards, {name: columns[name] for name in (*experts, MIX)}, draws),
        weights=played.model.weights,
        cpu_s=cpu,
        state_bytes=len(msgspec.json.encode(played.model)),
        expansion=growing(played, expansion, draws),
    )


def document(found: Report) -> dict[str, object]:
    """As JSON has it: the numbers of each by their names, the intervals beside them."""
    plain: dict[str, Any] = msgspec.to_builtins(found)
    plain |= {
        "experts": {name: _flat(one) for name, one in found.experts.items()},
        "mixture": _flat(found.mixture)
        | {"by_30_days": [_flat(one.skill) | {"begins": one.begins} for one in found.spans]},
        "baselines": {name: _flat(one) for name, one in found.baselines.items()},
        "segments": {
            name: {
                "experts": {expert: _flat(skill) for expert, skill in one.experts.items()},
                "mixture": _flat(one.mixture),
            }
            for name, one in found.segments.items()
        },
    }
    del plain["spans"]
    if (more := found.expansion) is not None:
        flat = _flat(more.skill)
        plain["expansion"] = flat | {"measure": more.measure, "by": more.by, "usual": more.usual, "grown": flat["lost"]}
        del plain["expansion"]["lost"]
    else:
        del plain["expansion"]
    return plain


def _flat(one: Skill) -> dict[str, object]:
    insufficient = one.value("auc") is None
    return {
        **{name: figure.value for name, figure in one.figures.items()},
        "labels": one.labels,
        "lost": one.lost,
        "accounts": one.accounts,
        "interval_95": {
            name: [figure.low, figure.high] for name, figure in one.figures.items() if figure.low is not None
        },
        "calibration": one.curve,
        **({"insufficient_labels": True} if insufficient else {}),
    }


def _segments(
    heard: Sequence[Snapshots], names: Sequence[str], columns: Mapping[str, Floats], draws: int
) -> dict[str, Segment]:
    if not names:
        return {}
    cards = _joined((one.cards for one in heard), np.int8)
    lost, who = _joined((one.lost for one in heard), bool), _joined((one.accounts for one in heard), np.int64)
    found = {}
    for code, name in [*enumerate(names), (DEFAULT, "")]:
        some = cards == code
        judged = {
            expert: _judged(columns[expert][some], lost[some], who[some], draws if expert == MIX else 0)
            for expert in columns
        }
        found[name] = Segment(mixture=judged.pop(MIX), experts=judged)
    return found


def _judged(chances: Floats, lost: Mask, who: Integers, draws: int) -> Skill:
    known = ~np.isnan(chances)
    return skill(chances[known], lost[known], who[known], draws)


def _rival(one: Snapshots, name: str) -> Floats:
    return one.rivals.get(name, np.full(len(one.lost), np.nan))


def _column(one: Snapshots, name: str) -> Floats:
    return one.said[:, CONTENDERS.index(name)] if name in CONTENDERS else _rival(one, name)


def _visits(heard: Iterable[Snapshots], told: Told, outcome: Outcome, name: str, top: int) -> Visits:
    """Those at the top of each look, by one way to predict."""
    found, all_lost, leads = [], [], []
    for one in heard:
        chances = _column(one, name)
        if np.isnan(chances).any() or not len(chances):
            continue
        ends = told.lost_at(one.accounts, one.at, outcome)
        there = np.flatnonzero(~told.already(one.accounts, one.at, outcome))
        first = there[np.argsort(-chances[there], kind="stable")[:top]]
        found.append(one.lost[first])
        all_lost.append(one.lost[there])
        gone = first[one.lost[first]]
        leads.append(ends[gone] - one.at)
    hit, usual, lead = _joined(found, bool), _joined(all_lost, bool), _joined(leads, float) / DAY
    return Visits(
        top=top,
        precision=float(hit.mean()) if len(hit) else None,
        usual=float(usual.mean()) if len(usual) else None,
        lead_days=float(np.median(lead)) if len(lead) else None,
    )


def _spans(heard: list[Snapshots]) -> list[Span]:
    by_span: dict[int, list[Snapshots]] = {}
    for one in heard:
        by_span.setdefault(int((one.at - heard[0].at) // _MONTH), []).append(one)
    spans = []
    for some in by_span.values():
        lost, who = _joined((one.lost for one in some), bool), _joined((one.accounts for one in some), np.int64)
        chances = _joined((_column(one, MIX) for one in some), float)
        spans.append(Span(some[0].at, skill(chances, lost, who, 0)))
    return spans


def _joined(parts: Iterable[Any], kind: type) -> Any:
    found = [*parts]
    return np.concatenate(found) if found else np.zeros(0, kind)


def table(found: Report) -> Mapping[str, Skill]:
    """All ways to predict in the order in which people compare them: the mix, who else predicted, then the experts."""
    return {"mixture": found.mixture, **found.baselines, **found.experts}
