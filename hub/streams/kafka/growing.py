"""The open batches of one app: what is read of a topic goes into the one that nobody has taken yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from faust.types import TP

from hub.streams.batches import Batch, Batched
from hub.streams.kafka.records import records_of

_FETCH: Final = 1000  # records at once: taking them apart holds up the loop


class Growing:
    """At most one open batch a topic; used in the app's event loop.

    Args:
        batched: by topic, who reads it in batches; of other topics records are delivered as they are.
        base: what our offsets are ahead of the broker's in a partition.
        taken: called when an agent has taken a batch.
    """

    def __init__(self, batched: Mapping[str, Batched], base: Callable[[TP], int], taken: Callable[[], None]) -> None:
        self._batched = batched
        self._base = base
        self._taken = taken
        self._open: dict[str, Batch] = {}

    def rooms(self, wanted: Collection[TP]) -> tuple[dict[str, int], bool]:
        """How many records each topic of these partitions may still get, and whether one may get none."""
        rooms: dict[str, int] = {}
        full = False
        for topic in {tp.topic for tp in wanted}:
            room = _FETCH
            if reader := self._batched.get(topic):
                batch = self._open.get(topic)
                room = min(reader.most - (len(batch) if batch and batch.open else 0), _FETCH)
            if room > 0:
                rooms[topic] = room
            full = full or room <= 0
        return rooms, full

    def add(self, fetched: Mapping[TP, list[Any]]) -> dict[TP, list[Any]]:
        """Let batches grow by what was fetched; what is to be delivered: new batches, and other records as they are."""
        found: dict[TP, list[Any]] = {}
        for tp, records in fetched.items():
            if tp.topic not in self._batched:
                found[tp] = records
                continue
            news = records_of(records, self._base(tp))
            batch = self._open.get(tp.topic)
            if batch is not None and batch.open:
                batch.extend(news)
            else:
                self._open[tp.topic] = batch = Batch(news, self._taken)
                found[tp] = [batch]
        return found

    def drop(self) -> None:
        """Partitions went: what nobody has taken is somebody else's to read."""
        for batch in self._open.values():
            batch.drop()
        self._open.clear()
