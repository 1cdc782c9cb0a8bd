from types import SimpleNamespace

import httpx
import pytest

from tests.e2e.kit import up
from tests.e2e.stage import world
from tests.web.conftest import browser  # noqa: F401 - a fixture, the same chromium


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    """A hub among its vendors, which nobody stops: for tests that only add to what it knows."""
    data = tmp_path_factory.mktemp("hub") / "data"
    with (
        world() as around,
        up(data, around.settings) as running,
        httpx.Client(base_url=running.url, timeout=30) as api,
    ):
        yield SimpleNamespace(url=running.url, data=data, world=around, api=api, said=running.said)
