"""Break a company in every way there is, and see that it loses nothing, counts nothing twice and shows what is true.

`python -m tests.faults --seed 7` strikes each fault a few times; `make faults` is the long run. Its exit status is 1
if anything was wrong. What it starts is its own: Kafka, PostgreSQL and Redis in a folder of /tmp, removed at the end.
"""

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import report
from tests.faults.faults import SHORT, Fault
from tests.faults.rounds import Round, Row
from tests.faults.surroundings import FAULTS
from tests.servers.servers import Servers


def main() -> int:
    asked = _arguments()
    parts = asked.only or [""]
    among = [SHORT[asked.engine]] if asked.short else FAULTS[asked.engine]
    chosen = [fault for fault in among if any(part in fault.name for part in parts)]
    if asked.list:
        print("\n".join(fault.name for fault in chosen))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    folder.chmod(0o755)  # PostgreSQL is another user
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # what was started is ended, too
    servers = Servers(folder / "servers") if asked.engine == "large" else None
    began = report.begin(asked.engine, asked.seed)
    begun = time.monotonic()
    rows: list[Row] = []
    print(report.HEAD, flush=True)
    try:
        if servers:
            servers.start()
        for number, fault in enumerate(chosen):
            if asked.minutes and time.monotonic() - begun > asked.minutes * 60:
                print(f"{fault.name:<34} not begun: {asked.minutes:g} minutes are over")
            elif why := fault.missing():
                print(f"{fault.name:<34} not possible here: {why}")
            else:
                rows.append(_round(asked, fault, servers, folder / f"f{number}", f"{number + 1}/{len(chosen)}"))
            if asked.json:
                Path(asked.json).write_text(json.dumps(began | {"rows": [row.as_json() for row in rows]}, indent=1))
    finally:
        if servers:
            servers.remove()
    wrong = [row for row in rows if row.wrong]
    took = time.monotonic() - begun
    print(f"\n{asked.engine}, seed {asked.seed}, {took:.0f} s: {len(wrong) or 'no'} of {len(rows)} wrong", flush=True)
    if wrong:
        print(f"logs are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if wrong else 0


def _round(asked: argparse.Namespace, fault: Fault, servers: Servers | None, folder: Path, place: str) -> Row:
    """One fault on an installation of its own; its chance depends on nothing but the seed and its name."""
    seed = random.Random(f"{asked.seed} {fault.name}").randrange(1 << 30)
    strikes, events = fault.long if asked.long or asked.short else (asked.strikes, asked.events)
    progress = report.Progress(f"{place} {fault.name}")
    one = Round(fault, servers, folder, seed, strikes=strikes, events=events, rate=asked.rate, say=progress)
    row = one.run()
    progress.end()
    print(report.line(row), *(f"    {said[:300]}" for said in row.wrong[:12]), sep="\n", flush=True)
    if not row.wrong:
        shutil.rmtree(folder)
    return row


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strikes", type=int, default=3, help="of each fault")
    parser.add_argument("--events", type=int, default=2_000, help="sent under each fault, at least")
    parser.add_argument("--long", action="store_true", help="as many of both as the long run has")
    parser.add_argument("--short", action="store_true", help="only those that tell most, one after another")
    parser.add_argument("--rate", type=float, default=300, help="events a second")
    parser.add_argument("--minutes", type=float, default=0, help="begin no further fault after so many")
    parser.add_argument("--only", nargs="*", help="faults whose names contain one of these; all unless said")
    parser.add_argument("--json", help="file for all figures")
    parser.add_argument("--engine", choices=list(FAULTS), default="large")
    parser.add_argument("--list", action="store_true", help="say what there is")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
