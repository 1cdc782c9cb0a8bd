"""Settings that nobody reads because of a slip of the pen: `PULSEHUB_DATABSE_URL` sets nothing, without a word."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Final

from hub.settings import PREFIX, Settings

_LIKE: Final = 0.8  # how alike two names are, from 0 to 1, before one is taken for a slip of the other


def misspelt(names: Iterable[str], plugins: Collection[str]) -> dict[str, str]:
    """Names of settings that are almost ours, or almost a plugin's, and what was probably meant.

    Args:
        names: as they were given, `PULSEHUB_DATABSE_URL`.
        plugins: what begins the names of a plugin's settings, `stripe`.

    >>> misspelt(["PULSEHUB_DATABSE_URL", "PULSEHUB_STRPE_API_KEY", "PULSEHUB_STRIPE_X"], ["stripe"])
    {'PULSEHUB_DATABSE_URL': 'PULSEHUB_DATABASE_URL', 'PULSEHUB_STRPE_API_KEY': 'PULSEHUB_STRIPE_API_KEY'}
    """
    ours = {*(field.upper() for field in Settings.model_fields), "CONFIG"}
    theirs = {plugin.upper() for plugin in plugins}
    found = {}
    for name in sorted(names):
        rest = name.removeprefix(PREFIX)
        if rest in ours or any(rest.startswith(f"{vendor}_") for vendor in theirs):
            continue
        if near := get_close_matches(rest, ours, 1, _LIKE):
            found[name] = PREFIX + near[0]
            continue
        vendor, _, key = rest.partition("_")
        if key and (close := get_close_matches(vendor, theirs, 1, _LIKE)):
            found[name] = f"{PREFIX}{close[0]}_{key}"
    return found
