"""A backup is whole or it is none, and is of one moment whatever goes on meanwhile."""

import asyncio
import json
import os
import shutil
import sqlite3
import stat
import threading
from collections import namedtuple

import pytest

from hub.backup import Manifest
from hub.sdk.errors import ConfigError, HubError
from hub.streams.topics import RAW
from tests.backup import kit
from tests.streams.kit import entry


def test_it_says_what_it_holds(taken, scored):
    manifest = Manifest.of(taken)
    assert manifest.tables["archive"].rows == 900
    assert (manifest.engine, manifest.stream, manifest.partitions, manifest.clock) == ("sqlite", "sqlite", 8, "wall")
    assert sorted(file.name for file in taken.iterdir()) == ["hub.db", "manifest.json", "streams.db"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in taken.iterdir()} == {0o600}
    assert kit.accounted(scored)[0].applied == manifest.tables["archive"].rows


def test_the_same_rows_have_the_same_digest_on_every_engine(url, taken, tmp_path):
    ours = kit.settings(tmp_path, url(tmp_path), partitions=8)
    kit.bring_back(taken, ours)
    again = kit.backup(ours, tmp_path / "again")
    first = Manifest.of(taken).tables
    fixed = {name: part for name, part in again.tables.items() if name not in ("meta", "offsets", "leases")}
    assert fixed == {name: first[name] for name in fixed}


def test_it_can_be_read_where_nothing_can_be_written(taken, tmp_path, scored):
    fixed = tmp_path / "fixed"
    shutil.copytree(taken, fixed)
    for file in fixed.iterdir():
        file.chmod(0o400)
    fixed.chmod(0o500)
    home = kit.settings(tmp_path / "home", partitions=8)
    assert kit.bring_back(fixed, home).books.balanced
    assert len(list(fixed.iterdir())) == 3
    fixed.chmod(0o700)


def test_it_needs_a_folder_of_its_own(scored, taken):
    with pytest.raises(ConfigError, match="is there already"):
        kit.backup(scored, taken)


def test_one_that_fails_leaves_nothing_under_its_name(scored, tmp_path):
    def fail(what, _done, _of):
        if what == "checking":
            raise OSError("the disk is full, say")

    with pytest.raises(HubError, match="the disk is full"):
        kit.backup(scored, tmp_path / "backup", moved=fail)
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_left_is_no_backup_and_the_next_one_removes_it(scored, tmp_path):
    unfinished = tmp_path / "backup.unfinished"
    unfinished.mkdir()
    (unfinished / "hub.db").write_bytes(b"half of it")
    with pytest.raises(ConfigError, match="cut off"):
        Manifest.of(unfinished)
    kit.backup(scored, tmp_path / "backup")
    assert not unfinished.exists()
    (tmp_path / "other.unfinished").mkdir()
    (tmp_path / "other.unfinished" / "letters.txt").write_text("not ours")
    with pytest.raises(ConfigError, match=r"letters\.txt, which is not ours"):
        kit.backup(scored, tmp_path / "other")
    assert (tmp_path / "other.unfinished" / "letters.txt").exists()


def test_a_disk_without_room_is_said_before_anything_is_written(scored, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil has it
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**30, 2**30, 2**20))
    with pytest.raises(ConfigError, match="GiB free and the backup needs"):
        kit.backup(scored, tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []


def test_a_format_of_later_is_refused(taken, tmp_path):
    later = tmp_path / "later"
    shutil.copytree(taken, later)
    said = json.loads((later / "manifest.json").read_text()) | {"format": 2}
    (later / "manifest.json").write_text(json.dumps(said))
    with pytest.raises(ConfigError, match="format 2"):
        kit.bring_back(later, kit.settings(tmp_path / "home"))


def test_bodies_come_along_where_they_are_asked_for(scored, tmp_path):
    ours = kit.settings(tmp_path / "ours", partitions=4)
    kit.score(ours, range(10))
    with kit.opened(ours) as (_, log):
        log.append([entry(b"%d" % number, RAW.name) for number in range(20)]).result()
    assert kit.backup(ours, tmp_path / "without").unread == {}
    assert kit.backup(ours, tmp_path / "with", raw=True).unread == {"raw": 20}
    home = kit.settings(tmp_path / "home", partitions=3)
    assert kit.bring_back(tmp_path / "with", home).records == {"raw": 20}
    with kit.opened(home) as (_, log):
        assert len(log.read(RAW.name, log.starts(RAW.name), 100)) == 20


def test_taken_while_the_hub_runs_it_is_of_one_moment_and_nothing_is_missing(engine, url, tmp_path):
    """Everything that was acknowledged before it began is in it; what came later may be, whole."""
    ours = kit.settings(tmp_path / "ours", url(tmp_path), partitions=8)
    halt = threading.Event()
    sent = []

    async def run():
        async with kit.engine(ours) as running:

            def feed():
                for first in range(0, 20_000, 50):
                    if halt.is_set():
                        return
                    kit.append(running.intake, range(first, first + 50))
                    sent.append(first + 50)

            feeding = asyncio.create_task(asyncio.to_thread(feed))
            while len(sent) < 20:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
            before = sent[-1]
            await asyncio.to_thread(kit.backup, ours, tmp_path / "backup")
            halt.set()
            await feeding
            return before

    before = asyncio.run(run())
    home = kit.settings(tmp_path / "home", partitions=8)
    done = kit.bring_back(tmp_path / "backup", home)
    assert done.books.balanced
    books = kit.score(home, [])
    assert before <= books.applied <= sent[-1]
    assert books.balanced
    assert kit.accounted(home)[1]
    with sqlite3.connect(tmp_path / "home" / "hub.db") as connection:
        known = {int(event.split(":")[1]) for (event,) in connection.execute("select event from archive")}
        changes = connection.execute("select account, was, health from ledger order by account, sequence").fetchall()
    assert known >= set(range(before))
    shown = {}
    for account, was, health in changes:
        assert was is None or was == shown.get(account)
        shown[account] = health


def test_it_is_closed_to_others(scored, tmp_path):
    old = os.umask(0)
    try:
        kit.backup(scored, tmp_path / "backup")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700
