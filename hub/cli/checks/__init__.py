"""What `doctor` looks at, a file for each kind of thing."""

from __future__ import annotations

from typing import NamedTuple


class Check(NamedTuple):
    """One thing looked at. `state` is ok, note (worth knowing, not wrong) or wrong."""

    name: str
    state: str
    says: str
