"""Keys of one installation in a Redis that several use."""

from concurrent.futures import ThreadPoolExecutor

from hub.store.expendable.client import Expendable
from hub.store.expendable.digests import Digests
from hub.store.expendable.naming import begin_anew, name_of

ID = b"0123456789abcdef"


def test_a_database_keeps_its_name(database):
    assert name_of(database) == name_of(database)


def test_processes_that_ask_at_once_are_told_the_same(database):
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: name_of(database), range(16)))) == 1


def test_after_a_restore_nothing_is_known_of_what_came_after_the_backup(database, server, made):
    before = made(name=name_of(database))
    Digests(before).add([ID])
    before.close()
    assert Digests(made(name=name_of(database))).among([ID]) == {ID}
    database.write(begin_anew).result()
    assert Digests(made(name=name_of(database))).among([ID]) == set()


def test_every_key_begins_with_ours():
    assert Expendable(None, "b7").key("known").startswith("pulsehub:b7:")
