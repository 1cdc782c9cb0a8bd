"""Whatever two workers do in whichever order, it comes to what one worker makes of the same records."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

import hub
from hub.ingest.identity import account_id, survivor_of
from hub.store import schema
from scoring.accounts import measures_of
from scoring.archive import refold
from scoring.links import MERGED
from tests.scoring.company import Company
from tests.scoring.room import START, event

CUSTOMERS = [f"acme:customer:{number}" for number in range(5)]
ACCOUNTS = [account_id(reference) for reference in CUSTOMERS]
KINDS = ("session.started", "ticket.opened", "ticket.solved", "invoice.failed")

customer, worker = st.sampled_from(range(5)), st.sampled_from(range(2))
acts = st.one_of(
    st.tuples(st.just("say"), customer, st.sampled_from(KINDS), st.booleans()),
    st.tuples(st.just("merge"), customer, customer),
    st.tuples(st.just("undo"), customer, customer),
    st.tuples(st.just("turn"), worker, st.integers(1, 3)),
    st.tuples(st.just("look"), worker),
    st.tuples(st.just("keep"), worker),
    st.tuples(st.just("move"), st.sampled_from(range(4)), worker),
)


class Played(Company):
    """A company that notes in which order its workers took what."""

    def start(self):
        self.batches = []
        super().start()

    def records(self, records):
        self.batches.append(records)
        return super().records(records)

    def reset(self):
        def empty(connection):
            for table in schema.metadata.sorted_tables:
                if table is not schema.meta:
                    connection.execute(delete(table))
            connection.execute(delete(schema.meta).where(schema.meta.c.key == "merges"))

        self.database.write(empty).result()
        self.log, self.read = [], dict.fromkeys(self.read, 0)
        self.start()

    def act(self, number, act, *what):
        if act == "say":
            who, kind, knows = what
            merges = {row.absorbed: row.survivor for row in self.rows(select(schema.merges))}
            home = survivor_of(ACCOUNTS[who], merges) if knows else ACCOUNTS[who]
            thing = f"acme:ticket:{who}" if kind.startswith("ticket") else None
            told = event(kind, START + number, id=f"e{number}", account=CUSTOMERS[who], entity=thing)
            self.say(told, home)
        elif act in ("merge", "undo"):
            facts = {"absorbed": ACCOUNTS[what[0]], "why": "told so", "undo": act == "undo"}
            survivor = ACCOUNTS[what[1]]
            told = event(MERGED, START + number, id=f"m{number}", account=survivor, connection="us", properties=facts)
            self.say(told, survivor)
        elif act == "turn":
            self.turn(*what)
        elif act == "look":
            self.look(*what)
        elif act == "keep":
            self.assign(what[0], kept=self.shares[what[0]])
        else:
            self.move(*what)

    def state(self):
        """All that the database says, as far as it is made of events."""
        found = {}
        for table in ("archive", "links", "merges", "entities"):
            columns = [
                column for column in schema.metadata.tables[table].c if column.name not in ("row", "received_at")
            ]
            found[table] = sorted(self.rows(select(*columns)), key=str)
        ids = sorted(row.id for row in self.rows(select(schema.accounts.c.id)))
        found["measures"] = {one: self.measures(one) for one in ids}
        return found

    def refolded(self):
        """What every account should measure, by the archive."""
        measures = measures_of(self.config, self.rescore._scorers.names)
        names = [measure.name for measure in measures.measures]
        with self.database.read() as connection:
            ids = list(connection.scalars(select(schema.accounts.c.id)))
            rows = {one: refold(connection, one, measures).row for one in ids}
        return {
            one: dict(zip(names, measures.read(row, self.now)[0].tolist(), strict=True)) for one, row in rows.items()
        }


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    company = Played(tmp_path_factory.mktemp("two"))
    yield company
    company.close()


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    company = Played(tmp_path_factory.mktemp("one"), workers=1)
    yield company
    company.close()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(acts, min_size=5, max_size=40))
def test_two_workers_come_to_what_one_does(two, one, story):
    for company in (two, one):
        company.reset()
    for number, act in enumerate(story):
        two.act(number, *act)
    two.settle()
    found = two.state()
    for batch in two.batches:
        one.rescore = one.workers[0]
        one.records(batch)
    alone = one.state()
    assert {name: rows for name, rows in found.items() if name != "measures"} == {
        name: rows for name, rows in alone.items() if name != "measures"
    }
    assert found["measures"].keys() == alone["measures"].keys()
    absorbed = {row.absorbed for row in found["merges"]}
    assert not absorbed & found["measures"].keys()
    assert not absorbed & {row.account for row in found["links"]}
    for which, what in (("one worker", alone["measures"]), ("the archive", two.refolded())):
        for account, measures in what.items():
            assert found["measures"][account] == pytest.approx(measures, rel=1e-6, nan_ok=True), which
    told = [row.event for row in found["archive"]]
    assert sorted(told) == sorted({msgspec.json.decode(one.value, type=hub.Event).id for one in two.log})
