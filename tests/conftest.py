"""Rules of the whole suite: it says which real parts it has, and where all are provided nothing is skipped."""

from __future__ import annotations

import os

import pytest

from tests.engines import bare, database, engine
from tests.servers import shared

__all__ = ["bare", "database", "engine"]  # fixtures


def pytest_configure(config):
    """What `make servers` started is found without being told."""
    shared.export(os.environ)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session):
    """Not `pytest_report_header`, which says nothing under -q; and not again in each worker."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal and not hasattr(session.config, "workerinput"):
        terminal.write_line(shared.sentence({name: os.environ[name] for name in shared.PARTS if os.environ.get(name)}))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """CI provides every real part, so there a skip hides a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("PULSEHUB_FORBID_SKIPS") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where skips are forbidden: {report.longrepr}"
