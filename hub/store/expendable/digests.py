"""Which ids are in the log, as all doors of an installation tell each other: the digests of about the last hour.

Kept in sets of half an hour each; a set expires when it is an hour old. There are 64 sets in a half hour, so that
none is large enough to hold Redis up when it goes, and each holds 8,192 at most: a million digests in all, about 80 MB.
A full set makes room by forgetting any of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from hub.store.expendable.client import Expendable

_AT_ONCE: Final = 500  # digests of a script: half a millisecond of Redis
_SLOT: Final = 1_800  # seconds
_SETS: Final = 64
_MOST: Final = 8_192  # digests of a set
_WHERE: Final = f"""
local slot = math.floor(redis.call('TIME')[1] / {_SLOT})
local function at(slot, digest) return ARGV[1] .. ':' .. slot .. ':' .. string.byte(digest) % {_SETS} end
"""
_AMONG: Final = f"""{_WHERE}
local known = {{}}
for i = 2, #ARGV do
  if redis.call('SISMEMBER', at(slot, ARGV[i]), ARGV[i]) == 1
    or redis.call('SISMEMBER', at(slot - 1, ARGV[i]), ARGV[i]) == 1 then
    known[#known + 1] = ARGV[i]
  end
end
return known
"""
_ADD: Final = f"""{_WHERE}
local touched = {{}}
for i = 2, #ARGV do
  local key = at(slot, ARGV[i])
  redis.call('SADD', key, ARGV[i])
  touched[key] = true
end
for key in pairs(touched) do
  local beyond = redis.call('SCARD', key) - {_MOST}
  if beyond > 0 then redis.call('SPOP', key, beyond) end
  redis.call('EXPIRE', key, {2 * _SLOT})
end
"""


class Digests:
    """The cache. It may have forgotten any of them, and never has one that was not added.

    Args:
        expendable: where it is.
    """

    def __init__(self, expendable: Expendable) -> None:
        self._expendable = expendable

    def among(self, digests: Sequence[bytes]) -> set[bytes]:
        """Those of `digests` that are known here; one round trip."""
        if not digests or not self._expendable.configured:
            return set()
        found = self._expendable.ask(lambda redis: self._run(redis, _AMONG, digests))
        return {digest for some in found or () for digest in some}

    def add(self, digests: Collection[bytes]) -> None:
        """Digests of what is in the log durably, and of nothing else; never waits."""
        if digests and self._expendable.configured:
            kept = list(digests)
            self._expendable.tell(lambda redis: self._run(redis, _ADD, kept))

    def _run(self, redis: Any, script: str, digests: Sequence[bytes]) -> list[Any]:
        prefix = self._expendable.key("known")
        with redis.pipeline(transaction=False) as together:
            for at in range(0, len(digests), _AT_ONCE):
                together.eval(script, 0, prefix, *digests[at : at + _AT_ONCE])
            answers: list[Any] = together.execute()
        return answers
