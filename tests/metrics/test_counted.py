"""What has to be counted at a scrape is counted once for all processes, and is what the pages say."""

import msgspec
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event, insert

from hub import metrics
from hub.store import schema
from hub.store.expendable.hot import Hot
from hub.store.questions import operation, portfolio, way
from hub.web.installation import COUNTED, Counted, Installation


class Clock:
    """A second passes whenever somebody looks: so every answer has cost one."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


def people(*bands, first=0):
    """Customers."""
    row = {"partition": 0, "state": b"", "scored_at": 1.0, "last_event_at": 1.0, "model_version": 0}
    return [row | {"id": f"a{n}", "band": band} for n, band in enumerate(bands, first)]


def told(installation):
    text = metrics.exposition(installation).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return {one.labels["band"]: one.value for one in families["pulsehub_accounts"].samples}


def installation(database, hot):
    return Installation(database, books=dict, lag=dict, hot=hot)


def test_processes_that_are_scraped_count_a_portfolio_once_for_all(database):
    some = people("steady", "watch", "watch")
    database.write(lambda connection: connection.execute(insert(schema.accounts), some)).result()
    reads = []
    clock = Clock()
    hot = Hot(clock=clock)
    with database.read() as connection:
        event.listen(connection.engine, "before_cursor_execute", lambda *now: reads.append(now[2]))
    for _ in range(3):
        assert told(installation(database, hot)) == {"steady": 1.0, "watch": 2.0}
    assert sum("accounts" in one and "band" in one for one in reads) == 1
    database.write(lambda connection: connection.execute(insert(schema.accounts), people("steady", first=9))).result()
    clock.now += 10 * COUNTED
    assert told(installation(database, hot)) == {"steady": 2.0, "watch": 2.0}


def test_what_was_counted_travels_between_processes(database):
    def write(connection):
        connection.execute(insert(schema.destinations), [{"sink": "crm", "paused": 1, "reason": "lunch"}])
        wanted = {"sink": "crm", "account": "a0", "sequence": 1, "fields": "{}", "attempts": 0, "next_at": 0.0}
        connection.execute(insert(schema.desired), [wanted | {"state": "due"}])
        letter = {"at": 1.0, "connection": "crm", "reason": "", "version": "", "context": "{}", "body": b"", "id": "1"}
        connection.execute(insert(schema.dead_letters), [letter | {"stage": "deliver", "state": "open"}])

    database.write(write).result()
    counted = installation(database, None)._count()
    assert (counted.places[0].paused, counted.places[0].states) == (True, {"due": 1})
    assert msgspec.json.decode(msgspec.json.encode(counted), type=Counted) == counted


def test_bands_and_destinations_are_those_of_the_pages(database):
    def write(connection):
        connection.execute(insert(schema.accounts), people("steady", "watch", None, "left", "watch"))
        profiles = [{"account": f"a{n}", "facts": "{}"} for n in range(4)]
        connection.execute(insert(schema.profiles), [one | {"merged_into": None} for one in profiles])
        connection.execute(insert(schema.profiles), [{"account": "a4", "facts": "{}", "merged_into": "a1"}])
        connection.execute(insert(schema.merges), [{"absorbed": "a4", "survivor": "a1", "at": 1.0, "why": "twins"}])
        attempt = {"at": 1.0, "sink": "crm", "account": "a0", "key": "k", "attempt": 1, "took": 0.1, "fields": "{}"}
        connection.execute(insert(schema.receipts), [attempt | {"outcome": "ok"}])
        connection.execute(insert(schema.destinations), [{"sink": "crm", "paused": 0}])

    database.write(write).result()
    with database.read() as connection:
        by_band = portfolio.spread(connection).by_band
        assert operation.bands(connection) == {band or "unscored": many for band, many in by_band.items()}
        (ours,), (theirs,) = way.standing(connection), way.every_destination(connection, 2.0)
        assert theirs.outcomes == {"ok": 1}
        assert (ours.sink, ours.states, ours.outcomes) == (theirs.sink, theirs.states, {})
