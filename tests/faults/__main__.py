"""Break a company in every way there is, and see that it loses nothing, counts nothing twice and shows what is true.

`python -m tests.faults --seed 7` strikes each fault a few times; `make faults` is the long run. Its exit status is 1
if anything was wrong. What it starts is its own: Kafka, PostgreSQL and Redis in a folder of /tmp, removed at the end.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.faults import LARGE
from tests.faults.rounds import Round, Row, summary
from tests.servers.servers import Servers

HEAD = (
    f"{'fault':<34} {'strikes':>7} {'events':>7} {'ack.':>7} {'kills':>5}"
    f" {'recovery, s':>12} {'moved, s':>12} {'late':>4} {'mail×2':>6}  result"
)


def main() -> int:
    asked = _arguments()
    chosen = [fault for fault in LARGE if not asked.only or any(part in fault.name for part in asked.only)]
    if asked.list:
        print("\n".join(fault.name for fault in chosen))
        return 0
    chance = random.Random(asked.seed)
    seeds = {fault.name: chance.randrange(1 << 30) for fault in LARGE}
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    folder.chmod(0o755)
    servers = Servers(folder / "servers")
    begun = time.monotonic()
    rows: list[Row] = []
    print(HEAD, flush=True)
    try:
        servers.start()
        for number, fault in enumerate(chosen):
            if asked.minutes and time.monotonic() - begun > asked.minutes * 60:
                break
            at = folder / f"f{number}"
            one = Round(
                fault, servers, at, seeds[fault.name], strikes=asked.strikes, events=asked.events, rate=asked.rate
            )
            rows.append(one.run())
            print(line(rows[-1]), flush=True)
            if not rows[-1].wrong and not asked.keep:
                shutil.rmtree(at)
    finally:
        servers.remove()
    wrong = [row for row in rows if row.wrong]
    for row in wrong:
        print(f"\n{row.fault}, seed {row.seed}:", *row.wrong[:20], sep="\n  ")
    print(
        f"\nseed {asked.seed}, {time.monotonic() - begun:.0f} s: {len(wrong) or 'no'} of {len(rows)} wrong", flush=True
    )
    if asked.json:
        Path(asked.json).write_text(json.dumps([row.as_json() for row in rows], indent=1))
    if wrong:
        print(f"logs are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if wrong else 0


def line(row: Row) -> str:
    """A line of the table."""
    result = f"{len(row.wrong)} violations" if row.wrong else "holds"
    return (
        f"{row.fault:<34} {row.strikes:>7} {row.events:>7} {row.acknowledged:>7} {row.kills:>5}"
        f" {summary(row.recovered):>12} {summary(row.moved):>12} {row.late:>4} {row.mailed_again:>6}  {result}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strikes", type=int, default=3, help="of each fault")
    parser.add_argument("--events", type=int, default=2_000, help="sent under each fault, at least")
    parser.add_argument("--rate", type=float, default=300, help="events a second")
    parser.add_argument("--minutes", type=float, default=0, help="begin no further fault after so many")
    parser.add_argument("--only", nargs="*", help="faults whose names contain one of these")
    parser.add_argument("--json", help="file for all figures")
    parser.add_argument("--keep", action="store_true", help="keep the logs")
    parser.add_argument("--list", action="store_true", help="say what there is")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
