import pytest

from hub.store.database import Database
from hub.streams.sqlite.log import SqliteLog
from tests.streams.kit import PARTITIONS, Place


@pytest.fixture
def place(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/hub.db")
    log = SqliteLog(tmp_path / "streams.db", PARTITIONS)
    yield Place(tmp_path, database, log)
    log.close()
    database.close()
