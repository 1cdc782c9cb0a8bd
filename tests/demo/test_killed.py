"""A demo killed while it tells its history: the next start goes on, and nothing is lost or told twice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime

from hub.demo.stage import Stage
from hub.settings import Settings
from tests.e2e.truth import accounted, applied, assert_same_measures, knowledge

COMPANIES, DAYS = 12, 20
DEMO = f"""
import asyncio, pathlib, sys
from datetime import datetime
from hub.demo.stage import Stage
from hub.settings import Settings

async def main():
    settings = Settings(data=pathlib.Path(sys.argv[1]), port=0, min_free_disk=0)
    async with Stage(settings, datetime.fromisoformat(sys.argv[2]), companies={COMPANIES}, days={DAYS}) as stage:
        await stage.tell(asyncio.Event(), lambda day, days: print(day, flush=True))

asyncio.run(main())
"""


def killed(folder, now, day):
    """Tell until a day is told, and a moment into the next; then end as a power cut would."""
    command = [sys.executable, "-c", DEMO, str(folder), now.isoformat()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        reached = next((line for line in process.stdout if line.strip() == str(day)), None)
        time.sleep(0.02)
        process.kill()
    assert reached, "it ended before that day"


def whole(folder, now):
    """Tell it to the end; what it proved."""

    async def told():
        settings = Settings(data=folder, port=0, min_free_disk=0)
        async with Stage(settings, now, companies=COMPANIES, days=DAYS) as stage:
            await stage.tell(asyncio.Event(), lambda _day, _days: None)
            await stage.settle()
            return await stage.prove()

    return asyncio.run(told())


def test_a_demo_killed_twice_ends_as_one_that_was_left_in_peace(tmp_path):
    now = datetime.now(UTC)
    data, calm = tmp_path / "killed", tmp_path / "calm"
    killed(data, now, 6)
    killed(data, now, 13)
    proved = whole(data, now)
    assert proved.balanced
    assert (proved.pending, proved.dead_lettered) == (0, 0)
    assert proved.applied + proved.duplicates == proved.received
    assert proved.fields == {"salesforce": COMPANIES, "zendesk": COMPANIES}
    assert proved.applied == accounted(data)[1]
    assert whole(calm, now).balanced
    assert applied(data) == applied(calm)
    assert_same_measures(knowledge(data, now.timestamp())[0], knowledge(calm, now.timestamp())[0])
