"""Start and stop the shared set of real parts: `python -m tests.servers start|stop|status`.

Its state is in `.servers/` of the checkout, the addresses for tests in `.servers/env`. PostgreSQL of this set does not
wait for the disk.
"""

import argparse
import sys
import time

from tests.servers import shared
from tests.servers.program import ServerError
from tests.servers.servers import Servers


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("what", choices=["start", "stop", "status"])
    asked = parser.parse_args()
    try:
        return {"start": start, "stop": stop, "status": status}[asked.what](Servers(shared.FOLDER, durable=False))
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1


def start(servers: Servers) -> int:
    begun = time.monotonic()
    servers.start()
    shared.write_env(shared.ENV, servers.environment())
    print(f"{shared.sentence(servers.environment())} ({time.monotonic() - begun:.1f} s)")
    return 0


def stop(servers: Servers) -> int:
    servers.stop()
    shared.ENV.unlink(missing_ok=True)
    return 0


def status(servers: Servers) -> int:
    """A line for each part; the exit status is 1 unless all run."""
    pids = [part.pid() for part in servers.parts]
    for part, pid in zip(servers.parts, pids, strict=True):
        print(f"{part.name:<9} {f'pid {pid}' if pid else 'not running':<12} 127.0.0.1:{part.port}  {part.log}")
    return 0 if all(pids) else 1


if __name__ == "__main__":
    sys.exit(main())
