"""Every move of every offset, as the database itself saw it: who moved it, under which epoch, from where to where.

A trigger of the test's own writes it down; each process connects under a name of its own (`application_name`).
"""

from collections.abc import Iterator
from typing import NamedTuple

import psycopg

TABLES = """
create table if not exists faults_history (
    id bigserial primary key, at double precision not null, who text not null,
    room text not null, topic text not null, partition int not null,
    was bigint not null, next bigint not null, was_epoch bigint not null, epoch bigint not null
);
create or replace function faults_note() returns trigger language plpgsql as $$
begin
    insert into faults_history (at, who, room, topic, partition, was, next, was_epoch, epoch)
    values (extract(epoch from clock_timestamp()), current_setting('application_name'),
            new.room, new.topic, new.partition, old.next, new.next, old.epoch, new.epoch);
    return new;
end $$;
create or replace trigger faults_history after update on offsets for each row execute function faults_note();
"""


class Move(NamedTuple):
    """One update of a row of `offsets`. Times are the database's."""

    at: float
    who: str
    room: str
    topic: str
    partition: int
    was: int
    next: int
    was_epoch: int
    epoch: int


def keep(url: str) -> None:
    """Begin to write it down."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES)


def moves(url: str, after: float = 0.0) -> list[Move]:
    """In the order in which each row saw them."""
    columns = "at, who, room, topic, partition, was, next, was_epoch, epoch"
    asked = f"select {columns} from faults_history where at >= %s order by id"
    with psycopg.connect(url, autocommit=True) as connection:
        return [Move(*row) for row in connection.execute(asked, (after,))]


def wrong(found: list[Move]) -> Iterator[str]:
    """Whether a partition was ever applied by two, or went back. Epochs are drawn, so none may come a second time."""
    epochs: dict[tuple[str, str, int], int] = {}
    nexts: dict[tuple[str, str, int], int] = {}
    owners: dict[tuple[str, str, int, int], str] = {}
    for move in found:
        place = (move.room, move.topic, move.partition)
        if move.epoch != epochs.get(place, move.was_epoch) and (*place, move.epoch) in owners:
            yield f"{place}: epoch {move.epoch} came again"
        if move.was_epoch != epochs.get(place, move.was_epoch):
            yield f"{place}: epoch {epochs[place]} became {move.was_epoch} unseen"
        if move.next < nexts.get(place, 0):
            yield f"{place}: went back from {nexts[place]} to {move.next}"
        epochs[place], nexts[place] = move.epoch, move.next
        if move.epoch != move.was_epoch and move.next != move.was:
            yield f"{place}: claimed and moved at once by {move.who}"
        owner = owners.setdefault((*place, move.epoch), move.who)
        if owner != move.who:
            yield f"{place}: epoch {move.epoch} of {owner} was used by {move.who}"
