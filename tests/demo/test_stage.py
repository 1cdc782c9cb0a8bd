"""A small demo, whole: four vendors, a hub and an inbox; stopped in the middle and started again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from hub.demo.stage import Stage
from hub.settings import Settings


def test_a_demo_that_was_stopped_goes_on_and_proves_what_it_says(tmp_path):
    settings = Settings(data=tmp_path, port=0, min_free_disk=0)
    now = datetime.now(UTC)

    async def first() -> None:
        async with Stage(settings, now, companies=30, days=30) as stage:
            stop = asyncio.Event()
            await stage.tell(stop, lambda day, _days: stop.set() if day == 15 else None)
            assert stage.story.told == 15

    async def second() -> dict[str, object]:
        async with Stage(settings, now, companies=30, days=30) as stage:
            await stage.tell(asyncio.Event(), lambda _day, _days: None)
            await stage.crisis()
            await stage.settle()
            proved = await stage.prove()
            mail = stage.inbox.mails[-1]
            return {"proof": proved, "subject": mail.subject, "text": mail.part("plain"), "url": stage.hub.url}

    asyncio.run(first())
    seen = asyncio.run(second())
    proved = seen["proof"]
    assert proved.balanced
    assert proved.pending == proved.dead_lettered == proved.duplicates == 0
    assert proved.accounts == 30
    assert proved.fields == {"salesforce": 30, "zendesk": 30}
    assert proved.emails >= 1
    assert "at risk" in seen["subject"]
    assert f"{seen['url']}/accounts/acc_" in seen["text"]


def test_who_is_let_down_is_chosen_when_the_history_is_scored(tmp_path, monkeypatch):
    settings = Settings(data=tmp_path, port=0, min_free_disk=0)
    scored: list[bool] = []
    look = Stage._holding_on

    def holding_on(stage: Stage) -> list[tuple[str, str]]:
        scored.append(stage.hub.engine.streams.idle())
        return look(stage)[:1]

    async def told() -> None:
        async with Stage(settings, datetime.now(UTC), companies=30, days=5) as stage:
            await stage.tell(asyncio.Event(), lambda _day, _days: None)
            monkeypatch.setattr(Stage, "_holding_on", holding_on)
            assert not stage.hub.engine.streams.idle()
            await stage.crisis()

    asyncio.run(told())
    assert scored
    assert all(scored)
