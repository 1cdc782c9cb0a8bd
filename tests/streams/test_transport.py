import asyncio
import json
import subprocess
import sys
from pathlib import Path

import faust
import pytest
from faust.transport import by_url
from yarl import URL

import hub
from hub.streams.log import Entry
from hub.streams.sqlite.log import SqliteLog
from hub.streams.sqlite.logfile import LogReader
from hub.streams.sqlite.transport import Transport
from hub.streams.topics import EVENTS, TopicSpec
from tests.streams.kit import until

STRANGER = Path(__file__).with_name("stranger.py")


def stranger(folder, send, broker="sqlite:///words.db"):
    done = subprocess.run(
        [sys.executable, str(STRANGER), broker, str(folder / "faust"), str(send)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_strangers_plain_app_streams_through_a_file_and_goes_on_where_it_stopped(tmp_path):
    first = stranger(tmp_path, 20)
    assert (tmp_path / "words.db").exists()  # three slashes: relative
    assert sorted(first["seen"]) == sorted([f"w{n % 5}" for n in range(20)] + ["hello"])
    assert sorted(first["shouted"]) == sorted(word.upper() for word in first["seen"])
    assert first["after"] == {"w0": 4, "w1": 4, "w2": 4, "w3": 4, "w4": 4, "hello": 1}
    assert sorted(n for values in first["taken"] for n in values) == list(range(20))
    assert max(map(len, first["taken"])) > 1
    assert first["headers"].count({"colour": "red"}) == 20
    assert first["answer"] == 5

    second = stranger(tmp_path, 0, f"sqlite:///{tmp_path}/words.db")  # and absolute with four
    assert second["before"] == first["after"]  # the table came back from its changelog
    assert second["seen"] == second["shouted"] == second["taken"] == []  # offsets were committed

    log = LogReader(tmp_path / "words.db")
    assert log.partitions == 3
    assert sum(log.ends("words").values()) == 21
    log.close()


def app_on(path, name="plain", **settings):
    return faust.App(
        name,
        broker=[URL(f"sqlite:///{path}")],
        datadir=str(path.parent / "faust"),
        topic_partitions=2,
        web_enabled=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        **settings,
    )


def test_our_transport_is_found_by_its_scheme():
    assert by_url(URL("sqlite:///x.db")) is Transport


def test_a_url_with_two_slashes_is_refused(tmp_path):
    app = app_on(tmp_path / "x.db")
    with pytest.raises(hub.ConfigError, match="lacks a slash"):
        _ = Transport([URL("sqlite://data/x.db")], app).log


def test_a_message_that_was_not_acknowledged_comes_again(tmp_path):
    path = tmp_path / "log.db"
    got: list[int] = []

    def build(stop_at):
        app = app_on(path, broker_commit_interval=0.05)

        @app.agent(app.topic("numbers", value_type=int, partitions=1), name="count")
        async def count(stream):
            async for n in stream:
                got.append(n)
                if n == stop_at:
                    await asyncio.Event().wait()

        return app, count

    async def run():
        first, count = build(2)
        await first.start()
        for n in range(5):
            await count.cast(n)
        await until(lambda: got == [0, 1, 2])
        log = LogReader(path)
        await until(lambda: log.committed("plain", "numbers") == {0: 2})
        log.close()
        second, _ = build(None)  # the first is stuck, as a process that died would be
        await second.start()
        await until(lambda: got == [0, 1, 2, 2, 3, 4])
        await second.stop()
        await first.stop()

    asyncio.run(run())


def test_a_group_that_comes_late_starts_at_the_oldest_record_or_at_the_newest(tmp_path):
    path = tmp_path / "log.db"
    log = SqliteLog(path, 1)
    log.declare(TopicSpec("numbers", 60.0))
    log.append([Entry("numbers", 0, None, b"%d" % n, 1.7e9) for n in range(3)]).result()
    got: dict[str, list[int]] = {"earliest": [], "latest": []}

    def build(reset):
        app = app_on(path, reset, consumer_auto_offset_reset=reset)

        @app.agent(app.topic("numbers", value_type=int), name="count")
        async def count(stream):
            async for n in stream:
                got[reset].append(n)

        return app

    async def run():
        apps = [build("earliest"), build("latest")]
        for app in apps:
            await app.start()
        await until(lambda: got["earliest"] == [0, 1, 2])
        log.append([Entry("numbers", 0, None, b"3", 1.7e9)]).result()  # as another process would
        await until(lambda: got["latest"] == [3] and got["earliest"] == [0, 1, 2, 3])
        for app in apps:
            await app.stop()

    asyncio.run(run())
    log.close()


def test_records_that_retention_took_are_passed_over_and_committing_goes_on(tmp_path):
    path = tmp_path / "log.db"
    log = SqliteLog(path, 1)
    log.declare(TopicSpec("numbers", 60.0))
    got: list[int] = []
    app = app_on(path, broker_commit_interval=0.05)

    @app.agent(app.topic("numbers", value_type=int), name="count")
    async def count(stream):
        async for n in stream:
            got.append(n)  # noqa: PERF401 - Faust acknowledges by the turn of the loop

    async def run():
        log.append([Entry("numbers", 0, None, b"0", 1000.0)]).result()
        await app.start()
        await until(lambda: log.committed("plain", "numbers") == {0: 1})
        await app.stop()
        log.append([Entry("numbers", 0, None, b"1", 1000.0)] * 5).result()
        assert log.trim(2000.0, {}) == 6
        log.append([Entry("numbers", 0, None, b"2", 3000.0)] * 2).result()
        second = app_on(path, broker_commit_interval=0.05)
        second.agent(second.topic("numbers", value_type=int), name="count")(count.fun)
        await second.start()
        await until(lambda: log.committed("plain", "numbers") == {0: 8})
        await second.stop()

    asyncio.run(run())
    assert got == [0, 2, 2]
    log.close()


def test_a_stranger_declares_no_topic_of_ours_anew(tmp_path):
    path = tmp_path / "log.db"
    log = SqliteLog(path, 4)
    log.declare(EVENTS)

    async def run():
        app = app_on(path)
        await app.start()
        await app.topic("events", partitions=1, retention=5.0).declare()
        await app.topic("theirs", partitions=1, retention=5.0, compacting=True).declare()
        await app.stop()

    asyncio.run(run())
    topics = log.topics()
    assert (topics["events"].partitions, topics["events"].retention) == (4, EVENTS.retention)
    assert (topics["theirs"].partitions, topics["theirs"].retention, topics["theirs"].compact) == (1, 5.0, True)
    log.close()


def test_a_send_that_cannot_be_written_fails_and_says_why(tmp_path):
    log = SqliteLog(tmp_path / "log.db", 2)
    app = app_on(tmp_path / "log.db")
    app._transport = app._producer_transport = Transport([URL("sqlite:///unused.db")], app, log=log)

    async def run():
        await app.start()
        topic = app.topic("numbers", value_type=int)
        await topic.send(value=1)
        pages = log._writing.execute("pragma page_count").fetchone()[0]
        log._writing.execute(f"pragma max_page_count={pages}")
        with pytest.raises(faust.exceptions.ProducerSendError, match="full"):
            await (await topic.send(value="x" * 100_000))
        log._writing.execute("pragma max_page_count=100000")
        await app.stop()

    asyncio.run(run())
    log.close()
