"""A backtest in a process of its own: asked by a line of JSON on standard input, answered by lines on standard output.

It takes a processor for minutes and memory for a whole archive, and whoever asked goes on serving pages or judging
customers meanwhile. It ends when its standard input does, and so with whoever began it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

import msgspec

from hub.sdk.errors import HubError
from hub.store.database import Database
from hub.success.replaying import Archive, Asked, replayed
from scoring.config import Config
from scoring.proof.backtest import Backtest

_PACE = 0.25  # seconds between two words about how far it is


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be replayed; configurations as JSON.

    Attributes:
        database: its address; it may hold a password, so it is never an argument.
        old: what is in use.
        new: the draft.
        every: seconds between two looks.
        since: unix seconds of the first look; None: the beginning.
        until: unix seconds; nothing later is read; None: all.
        draws: of the bootstrap.
    """

    database: str
    old: str
    new: str
    every: float
    since: float | None = None
    until: float | None = None
    draws: int = 50


class Word(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the answer: how far it is, what was found, or why it ended."""

    step: str = ""
    done: int = 0
    of: int = 0
    found: Backtest | None = None
    archive: Archive | None = None
    error: str = ""


def run(order: Order, say: Any) -> None:
    """Replay, and say so."""
    last_step, last_at = "", 0.0

    def told(step: str, done: int, of: int) -> None:
        nonlocal last_step, last_at
        now = time.monotonic()
        if step != last_step or done >= of or now - last_at >= _PACE:
            last_step, last_at = step, now
            say(Word(step=step, done=done, of=of))

    old, new = (Config.model_validate_json(one) for one in (order.old, order.new))
    asked = Asked(
        every=order.every,
        since=float("-inf") if order.since is None else order.since,
        until=float("inf") if order.until is None else order.until,
        draws=order.draws,
        called=("the time between two looks", "from", "until"),
    )
    try:
        with Database(order.database) as database, database.read() as connection:
            found, archive = replayed(connection, old, new, asked, told)
    except HubError as error:
        say(Word(error=str(error)))
        return
    except MemoryError:
        say(Word(error="the archive does not fit into memory: ask for a shorter time"))
        return
    say(Word(found=found, archive=archive))


def main() -> None:
    """Take one order from standard input."""
    os.nice(10)
    line = sys.stdin.buffer.readline()
    threading.Thread(target=_end_with_whoever_asked, daemon=True).start()
    out = sys.stdout.buffer

    def say(word: Word) -> None:
        out.write(msgspec.json.encode(word) + b"\n")
        out.flush()

    run(msgspec.json.decode(line, type=Order), say)


def _end_with_whoever_asked() -> None:
    while os.read(0, 4_096):  # past Python's buffer, whose lock would be in the way of a proper end
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
