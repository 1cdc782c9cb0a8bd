"""Kill the streams again and again, and see that nothing is lost and nothing counted twice.

`python -m tests.kills --kills 300 --seed 7` prints a table; its exit status is 1 if anything was wrong. This process
imports everything once and forks: a fork is up in a fraction of a second, so the kills hit work and not start-up. It
has no threads and no open file of the installation while it forks.
"""

import argparse
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.kills import check, worker

KILLS_OF_A_SET = 12
MEMORY = Path("/dev/shm")  # noqa: S108 - a killed process loses nothing a kernel keeps; disks only make it slow


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)  # poison is dead-lettered with a traceback; there is a lot of it here
    chance = random.Random(asked.seed)
    begun = time.monotonic()
    left, failed, number = asked.kills, 0, 0
    print(f"{'set':>3} {'kills':>5} {'by clock':>8} {'by point':>8} {'events':>7} {'distinct':>8}  result")
    while left > 0:
        number += 1
        kills = min(left, KILLS_OF_A_SET)
        left -= kills
        with tempfile.TemporaryDirectory(prefix="kills-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
            how, wrong, events, distinct = torment(Path(folder), chance, kills)
        failed += bool(wrong)
        print(
            f"{number:>3} {kills:>5} {how['clock']:>8} {how['point']:>8} {events:>7} {distinct:>8}"
            f"  {'; '.join(wrong) or 'complete, each once'}",
            flush=True,
        )
    took = time.monotonic() - begun
    print(f"{asked.kills} kills, seed {asked.seed}, {took:.0f} s: {failed or 'no'} data sets wrong")
    return 1 if failed else 0


def torment(folder: Path, chance: random.Random, kills: int) -> tuple[Counter, list[str], int, int]:
    """One data set: feed it, kill its worker `kills` times, let it finish, look."""
    how: Counter[str] = Counter()
    seed = chance.randrange(1 << 30)
    vendor = fork(worker.vendor, folder, seed)
    for _ in range(kills):
        seed += 1
        point = chance.choice([None, *worker.POINTS])
        child = fork(worker.work, folder, seed, point, drain=False)
        if ended(child, chance.uniform(0.1, 0.5) if point is None else 1.2):
            how["point"] += 1
            continue
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        how["clock"] += 1
    os.kill(vendor, signal.SIGTERM)
    wrong = [] if os.waitpid(vendor, 0)[1] == 0 else ["the vendor failed"]
    last = fork(worker.work, folder, seed + 1, None, drain=True)
    if os.waitpid(last, 0)[1] != 0:
        wrong.append("it did not finish")
    log = check.LogReader(folder / "streams.db")
    events, distinct = sum(log.ends("events").values()), len(check.replay(log)[1])
    log.close()
    return how, wrong + check.wrong(folder), events, distinct


def fork(run, *args, **kwargs) -> int:
    """Run in a child of our own; returns its process id."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        run(*args, **kwargs)
        status = 0
    except BaseException as error:  # noqa: BLE001 - a fork must end here, whatever happened
        print(f"{run.__name__}: {error!r}", file=sys.stderr, flush=True)
    os._exit(status)


def ended(child: int, patience: float) -> bool:
    """Whether the child dies (by its own fuse) within `patience` seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.005)
    return False


if __name__ == "__main__":
    sys.exit(main())
