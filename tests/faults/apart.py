"""A network of its own for one worker, with a cable to the broker and one to the database that can be pulled.

Network namespaces and veth pairs; takes root and `ip`. Broker and database listen on their ends of the cables
as well, and the broker names the one it was reached by.
"""

import os
import shutil
import subprocess
from contextlib import suppress

from tests.servers.broker import Kafka
from tests.servers.database import Postgres

NET = f"10.{200 + os.getpid() % 50}"
BROKER, DATABASE = f"{NET}.1.1", f"{NET}.2.1"
FAR = "far.port"


def missing() -> str | None:
    """Why there can be none."""
    if os.geteuid() != 0:
        return "only root may make a network namespace"
    if not shutil.which("ip"):
        return "there is no `ip`"
    name = f"faults-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True, text=True)  # noqa: S607
    if made.returncode:
        return f"no network namespace: {made.stderr.strip()}"
    _ip("netns", "del", name)
    return None


class Cables:
    """The namespace `name` and its two cables, plugged in."""

    def __init__(self) -> None:
        self.name = f"faults-{os.getpid()}"
        self._ends = {BROKER: f"fb{os.getpid()}", DATABASE: f"fd{os.getpid()}"}
        _ip("netns", "add", self.name)
        for address, end in self._ends.items():
            _ip("link", "add", end, "type", "veth", "peer", "name", f"{end}p", "netns", self.name)
            _ip("addr", "add", f"{address}/24", "dev", end)
            _ip("link", "set", end, "up")
            _ip("-n", self.name, "addr", "add", f"{address[:-1]}2/24", "dev", f"{end}p")
            _ip("-n", self.name, "link", "set", f"{end}p", "up")
        _ip("-n", self.name, "link", "set", "lo", "up")

    @property
    def prefix(self) -> list[str]:
        """Words before a program's, that run it there."""
        return ["ip", "netns", "exec", self.name]

    def pull(self, address: str) -> None:
        """Nothing gets through any more, and nobody is told."""
        _ip("link", "set", self._ends[address], "down")

    def plug(self, address: str) -> None:
        """It does again."""
        _ip("link", "set", self._ends[address], "up")

    def remove(self) -> None:
        with suppress(subprocess.CalledProcessError):
            _ip("netns", "del", self.name)  # takes the cables along
        for end in self._ends.values():
            with suppress(subprocess.CalledProcessError):
                _ip("link", "del", end)


class FarKafka(Kafka):
    """A broker that listens there, too."""

    def prepare(self) -> None:
        super().prepare()
        properties = self.folder / "server.properties"
        here, there = f"PLAINTEXT://127.0.0.1:{self.port}", f"FAR://{BROKER}:{self.keep_port(FAR)}"
        text = properties.read_text()
        text = text.replace(f"listeners={here},", f"listeners={here},{there},")
        text = text.replace(f"advertised.listeners={here}\n", f"advertised.listeners={here},{there}\n")
        text = text.replace("protocol.map=", "protocol.map=FAR:PLAINTEXT,")
        properties.write_text(text)


class FarPostgres(Postgres):
    """A database that listens there, too."""

    def prepare(self) -> None:
        super().prepare()
        line = f"host all all {NET}.0.0/16 trust\n"
        allowed = self.data() / "pg_hba.conf"
        if line not in allowed.read_text():
            with allowed.open("a") as file:
                file.write(line)

    def command(self) -> list[str]:
        return [word.replace("=127.0.0.1", f"=127.0.0.1,{DATABASE}") for word in super().command()]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)  # noqa: S607
