"""How measures are kept: one class per family, each folding a whole batch into the rows it touches.

A family owns blocks of columns of the row and promises that its fold commutes: any order of events, cut into any
batches, gives the same state, and merging two rows is as if their events had been folded together.
"""

from scoring.families.by_hand import ByHand
from scoring.families.counts import Counts
from scoring.families.dates import Dates
from scoring.families.days import Days
from scoring.families.entities import Holdings
from scoring.families.exact import Exact
from scoring.families.heard import Heard
from scoring.families.last import Last
from scoring.families.outcome import Marks
from scoring.families.people import People
from scoring.families.recency import Recency
from scoring.families.segments import Segments
from scoring.families.tenure import Tenure
from scoring.families.trend import Trend

__all__ = [
    "ByHand",
    "Counts",
    "Dates",
    "Days",
    "Exact",
    "Heard",
    "Holdings",
    "Last",
    "Marks",
    "People",
    "Recency",
    "Segments",
    "Tenure",
    "Trend",
]
