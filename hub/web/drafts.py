"""A draft of measures and scorecard as a page takes it: out of a form, judged by who would move, given back as a file.

Nothing here writes: the files belong to whoever runs the installation, and all its processes take them when they start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from hub.sdk.errors import ConfigError
from hub.web.page import Site
from hub.web.pages.models import in_use
from hub.web.refusal import RefusedError
from scoring.config import Config
from scoring.drafted import MEASURES, SCORECARD, Drafted, drafted
from scoring.drafts import Moves, differences, moves, refolded
from scoring.loading import text
from scoring.weights import reweighed

BYTES: Final = 600_000
"""Of a form: a letter may take nine of them."""
FIELDS: Final = 1_000
_WEIGHT, _HAD = "w:", "h:"
_PATIENCE: Final = 1.5  # seconds a preview takes from others
_SOME, _FEW = 500, 25  # accounts judged at once; where their events are read again
_NAMED: Final = 10
_HEAVIEST: Final = 1e9


class Texts(NamedTuple):
    """Both files, as text."""

    measures: str
    scorecard: str


@dataclass(frozen=True, slots=True)
class Judged:
    """Whom a draft would move.

    Attributes:
        lines: what it says otherwise than what runs.
        anew: measures that would be folded anew from the archive.
        found: whom it moves; None: it says nothing otherwise.
    """

    lines: list[str]
    anew: list[str]
    found: Moves | None


def kept(site: Site) -> Texts:
    """The files of the installation as they stand now.

    Raises:
        RefusedError: they cannot be read.
    """
    folder = site.context.settings.scoring
    try:
        return Texts(text(folder, MEASURES), text(folder, SCORECARD))
    except ConfigError as error:
        raise RefusedError(503, f"The files cannot be read: {error}.") from None


def understood(site: Site, texts: Texts) -> Drafted:
    """What texts say, with the measures of plugins."""
    return drafted(texts.measures, texts.scorecard, site.context.measures)


def out_of(form: Mapping[str, str]) -> Texts:
    """The draft in a form: its texts, with the weights that were changed in fields of their own."""
    measures, scorecard = (form.get(name, "").replace("\r\n", "\n") for name in ("measures", "scorecard"))
    changes = {}
    for name, said in form.items():
        key = name.removeprefix(_WEIGHT)
        if key == name or said.strip() == form.get(f"{_HAD}{key}", "").strip():
            continue
        try:
            value = float(said)
        except ValueError:
            continue  # a field that was emptied on the way to another number
        if 0.0 <= value <= _HEAVIEST:
            changes[key] = value
    if changes and (parsed := drafted("", scorecard).parsed.get(SCORECARD)):
        scorecard = reweighed(scorecard, parsed.node, changes)
    return Texts(measures, scorecard)


class Judge:
    """Judges drafts, one at a time: whoever types quickly waits for nobody but himself."""

    def __init__(self, site: Site) -> None:
        self._site, self._turn = site, threading.Lock()

    def judge(self, draft: Config) -> Judged:
        """Whom a draft would move, of as many customers as can be judged in a second or two."""
        old, now = in_use(self._site), self._site.today()
        lines, anew = differences(old, draft), refolded(old, draft)
        if not lines:
            return Judged([], [], None)
        with self._turn, self._site.context.database.read() as connection:
            until = time.monotonic() + _PATIENCE
            some = _FEW if anew else _SOME
            found = moves(
                connection,
                old,
                draft,
                now,
                most=_NAMED,
                panel=self._site.context.panel,
                some=some,
                enough=lambda: time.monotonic() >= until,
            )
        return Judged(lines, anew, found)
