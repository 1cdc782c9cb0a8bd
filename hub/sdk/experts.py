"""What an expert of a plugin is: a further way to predict who leaves, judged and weighed beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

if TYPE_CHECKING:
    import numpy as np

MOST_STATE: Final = 262_144
"""Bytes that an expert's state may have."""
_UNKNOWN: Final = "?"


class Expert(Protocol):
    """One expert, as it is at one moment; the plugin registers the class.

    Features come as a matrix whose columns are named: the signed log of each measure, within 60 and 0 where it is
    unknown, then for each a flag (`logins?`) that says that it is unknown. Columns go by name: measures come and go,
    and so do columns.
    What an expert raises leaves it out, and stops nobody.

    Attributes:
        name: under which it is weighed and judged: small letters, digits, `_`.

    Args:
        seed: for whatever it does by chance; the same seed and labels must come to the same numbers.
        state: what `state` of another one gave; None: it has learned nothing.
    """

    name: ClassVar[str]

    def __init__(self, seed: int, state: bytes | None = None) -> None: ...

    def learn(
        self,
        names: Sequence[str],
        features: np.ndarray[Any, np.dtype[np.float64]],
        lost: np.ndarray[Any, np.dtype[np.bool_]],
        weight: float,
    ) -> None:
        """Learn from a portion of labels whose horizon has passed.

        Args:
            names: columns of `features`.
            features: (n, F), as they were when it was predicted.
            lost: (n,) whether the customers were lost.
            weight: how much of a label each is, at most 1: a customer is put on record more often than once a horizon.
        """

    def say(
        self, names: Sequence[str], features: np.ndarray[Any, np.dtype[np.float64]]
    ) -> Sequence[float] | np.ndarray[Any, Any]:
        """(n,) log odds of losing these customers within the horizon; NaN where it has no opinion. Changes nothing."""

    def state(self) -> bytes:
        """All that it has learned, at most `MOST_STATE` bytes.

        They are signed with a key of the installation, and nobody is given any that are not: they may be a pickle.
        """


def feature_rows(names: Sequence[str], features: np.ndarray[Any, np.dtype[np.float64]]) -> list[dict[str, float]]:
    """The rows of a matrix of features as River reads them: known measures by name, unknown ones as their flag.

    Whatever is not a number is left out.

    >>> import numpy as np
    >>> feature_rows(["logins", "mrr", "logins?", "mrr?"], np.array([[2.5, 0.0, 0.0, 1.0], [float("nan"), 7, 0, 0]]))
    [{'logins': 2.5, 'mrr?': 1.0}, {'mrr': 7.0}]
    """
    flags = {name: names.index(name + _UNKNOWN) for name in names if name + _UNKNOWN in names}
    plain = [(name, place, flags.get(name)) for place, name in enumerate(names) if not name.endswith(_UNKNOWN)]
    rows = []
    for row in features.tolist():
        read: dict[str, float] = {}
        for name, place, flag in plain:
            if flag is not None and row[flag] == 1.0:
                read[name + _UNKNOWN] = 1.0
            elif isfinite(row[place]):
                read[name] = row[place]
        rows.append(read)
    return rows
