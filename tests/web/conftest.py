import asyncio
import contextlib
import os
from pathlib import Path

import httpx
import pytest

from hub.store.database import Database
from hub.web.app import create_app
from tests import engines
from tests.web import companies
from tests.web.serving import context

CHROMIUM = Path("/usr/bin/chromium")


class Asker:
    """Asks an application without a socket, as a browser on this machine would."""

    def __init__(self, made):
        self.context = made
        self.app = create_app(made)

    def ask(self, path, method="GET", *, host="127.0.0.1:8420", client="127.0.0.1", **more):
        async def once():
            transport = httpx.ASGITransport(self.app, client=(client, 50_000))
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as http:
                return await http.request(method, path, **more)

        return asyncio.run(once())


@pytest.fixture(scope="session", params=engines.ENGINES)
def filled(request, tmp_path_factory):
    """The sixty companies, on each engine; read only."""
    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('web')}/hub.db"
        else:
            engines.need()
            url = stack.enter_context(engines.passing())
        database = stack.enter_context(Database(url))
        database.ids = companies.fill(database)
        yield database


@pytest.fixture
def few(database):
    """Four companies, on each engine; to be written to."""
    database.ids = companies.fill(database, number=4)
    return database


@pytest.fixture(scope="module")
def site(filled):
    return Asker(context(filled))


@pytest.fixture
def empty_site(database):
    """Of a hub that knows nothing yet, on each engine."""
    return Asker(context(database, full=False))


@pytest.fixture
def one(filled):
    """An account's id."""
    return filled.ids[0]


@pytest.fixture(scope="module")
def browser():
    """One chromium for a module."""
    if not CHROMIUM.exists():
        if os.environ.get("PULSEHUB_FORBID_SKIPS") == "1":
            pytest.fail(f"{CHROMIUM} is absent, and skips are forbidden")
        pytest.skip(f"{CHROMIUM} is absent")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a second to import, for these tests only

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield found
        found.close()
