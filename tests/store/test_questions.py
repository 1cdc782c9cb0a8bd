"""What pages ask is answered alike by every engine: the same rows, in the same order, of the same types."""

from dataclasses import replace

import pytest

from hub.store.database import Database
from hub.store.questions import account, movement, portfolio, tree, way
from tests import engines
from tests.web import companies

NOW, DAY = companies.NOW, companies.DAY
WANTED = [
    *(portfolio.Wanted(sort=sort) for sort in portfolio.SORTS),
    portfolio.Wanted(text="SÖHNE"),
    portfolio.Wanted(text="söhne"),
    portfolio.Wanted(text="NORTH"),
    portfolio.Wanted(text="%"),
    portfolio.Wanted(text="\0"),
    portfolio.Wanted(band="at_risk", low=10.0, high=35.0),
    portfolio.Wanted(band="left"),
]


def everywhere(follow):
    """All pages of a list that goes on by cursor."""
    rows, cursor = follow(None)
    pages = [rows]
    while cursor is not None:
        rows, cursor = follow(cursor)
        pages.append(rows)
    return pages


def one_account(connection, key):
    return {
        "resolved": account.resolve(connection, key),
        "references": account.references(connection, key),
        "facts": account.facts(connection, key),
        "people": account.people(connection, key),
        "things": account.things(connection, key),
        "entries": everywhere(lambda c: account.entries(connection, key, limit=7, cursor=c)),
        "happenings": everywhere(lambda c: account.happenings(connection, key, limit=5, cursor=c)),
        "tickets": account.happenings(connection, key, limit=9, subjects=["ticket", "in_oice"]),
        "parent": tree.parent(connection, key),
        "parts": tree.parts(connection, key),
        "course": movement.course(connection, key, NOW - 30 * DAY),
        "largest": movement.largest(connection, key, NOW - 90 * DAY),
        "band_since": movement.band_since(connection, key),
        "shown": [tuple(row) for row in way.shown(connection, key)],
        "told": [tuple(row) for row in way.told(connection, key)],
    }


def answers(database, ids):
    with database.read() as connection:
        moved = [move.account for move in movement.moves(connection, NOW - 7 * DAY)]
        yield "spread", portfolio.spread(connection)
        yield "newest", portfolio.newest(connection)
        for wanted in WANTED:
            yield f"page {wanted}", portfolio.page(connection, wanted, limit=20, offset=3)
            yield f"count {wanted}", portfolio.count(connection, wanted)
            yield f"ids {wanted}", portfolio.ids(connection, wanted)
            yield (
                f"follow {wanted}",
                everywhere(lambda c, w=wanted: portfolio.follow(connection, w, limit=13, cursor=c)),
            )
        yield "moves", movement.moves(connection, NOW - 7 * DAY)
        yield "moved", movement.moved(connection, NOW - 7 * DAY, most=6)
        yield "moved, nobody", movement.moved(connection, NOW + DAY, most=6)
        yield "furthest", movement.furthest(connection, moved, NOW - 7 * DAY)
        yield "histories", movement.histories(connection, ids, [NOW - n * 9 * DAY for n in range(9)])
        yield "heard", way.heard(connection, NOW)
        places = way.every_destination(connection, NOW)
        yield "destinations", [replace(place, took=round(place.took or 0.0, 9)) for place in places]  # an average
        yield "letters", everywhere(lambda c: way.letters(connection, limit=4, cursor=c))
        yield "receipts", everywhere(lambda c: way.receipt_list(connection, limit=40, cursor=c))
        yield "learned", account.outcomes_learned(connection)
        for key in [*ids[:12], "acc_nobody", "\0"]:
            yield key, one_account(connection, key)


@pytest.fixture(scope="module")
def on_a_file(tmp_path_factory):
    with Database(f"sqlite:///{tmp_path_factory.mktemp('questions')}/hub.db") as database:
        return dict(answers(database, companies.fill(database)))


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("engine")
def test_a_server_answers_as_a_file_does(on_a_file, tmp_path):
    with Database(engines.url(tmp_path)) as database:
        found = dict(answers(database, companies.fill(database)))
    assert all(on_a_file[name] for name in ("moves", "heard", "letters", "receipts", "destinations"))
    differing = {name for name in found if found[name] != on_a_file[name]}
    assert {name: (found[name], on_a_file[name]) for name in sorted(differing)[:1]} == {}
    assert differing == set()


def test_who_moved_is_who_stands_elsewhere_than_a_week_ago(tmp_path):
    with Database(f"sqlite:///{tmp_path}/hub.db") as database:
        ids, since = companies.fill(database), NOW - 7 * DAY
        with database.read() as connection:
            then = movement.histories(connection, ids, [since])
            rows = portfolio.by_ids(connection, ids)
            fell, rose, first = movement.moved(connection, since, most=6)
            assert first == movement.moves(connection, since)[:6]
            found = {move.account: round(move.change, 9) for move in movement.moves(connection, since)}
            here = {row.id for row in portfolio.page(connection, portfolio.Wanted(), limit=len(ids))}
    changes = {key: row.health - then[key][0] for key, row in rows.items() if key in here and then[key][0] is not None}
    assert found == {key: round(change, 9) for key, change in changes.items() if abs(change) >= 1.0}
    assert fell == sum(change < 0 for change in found.values()) > 0
    assert rose == sum(change > 0 for change in found.values()) > 0
