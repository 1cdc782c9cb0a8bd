"""One server process of a folder, which may be started by one process of ours and stopped by another.

A pid alone says little: it may be somebody else's by now. So the pid file has the process's start, too, in clock ticks
since the machine's, as Linux tells it in /proc; both together are that program and no other.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

PATIENCE = 60.0  # seconds to answer, or to end
LOW, HIGH = 20_000, 32_000  # below what the kernel gives to clients: one of those could take the port of a dead server


class ServerError(Exception):
    """A server cannot be started; the message says what to do or where to look."""


class Program:
    """A server on 127.0.0.1 at a port it keeps; parts say what is run and when it answers."""

    name: str
    ends_by = signal.SIGTERM
    user: int | None = None  # whom it runs as; None: whoever we are
    group: int | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.name
        self.log = self.folder / "log"
        self._child: subprocess.Popen | None = None

    @property
    def port(self) -> int:
        return self.keep_port("port")

    def prepare(self) -> None:
        """What must be there before the first start; done already, it does nothing."""

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it serves. Raises OSError as long as it cannot be reached at all."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it unless it runs, and return when it answers. Raises ServerError."""
        if not self.pid():
            self.folder.mkdir(parents=True, exist_ok=True)
            self.prepare()
            self._reap()
            with self.log.open("ab") as log:
                self._child = subprocess.Popen(
                    self.command(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env=environment(),
                    user=self.user,
                    group=self.group,
                    extra_groups=None if self.group is None else [],
                    start_new_session=True,  # Ctrl-C is for us, not for it
                )
            (self.folder / "pid").write_text(f"{self._child.pid} {started(self._child.pid) or 0}\n")
        self._wait_for_answer()

    def stop(self) -> None:
        """End it as its own manual says, and return when it is gone."""
        if pid := self.pid():
            self.resume()
            _send(pid, self.ends_by)
            if not self._gone(pid):
                self.kill()
        self._reap()

    def kill(self) -> None:
        """Kill -9, its children too; they are gone when this returns."""
        if pid := self.pid():
            _send(pid, signal.SIGSTOP)  # so that it has no more children meanwhile
            for each in (*children(pid), pid):
                _send(each, signal.SIGKILL)
                self._gone(each)
        self._reap()

    def remove(self) -> None:
        """Kill it, and forget all it kept: data, log, port."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pause(self) -> None:
        """Stop it where it stands, its children too: connections stay open and nobody answers."""
        if pid := self.pid():
            _send(pid, signal.SIGSTOP)
            for each in children(pid):
                _send(each, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after a pause."""
        if pid := self.pid():
            for each in (*children(pid), pid):
                _send(each, signal.SIGCONT)

    def pid(self) -> int | None:
        """Of the running process; None when it is not running."""
        try:
            pid, start = (self.folder / "pid").read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if started(int(pid)) == int(start) else None

    def keep_port(self, name: str) -> int:
        """The port of that name; chosen free at the first question, and kept for good."""
        path = self.folder / name
        with suppress(FileNotFoundError):
            return int(path.read_text())
        self.folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        path.write_text(f"{port}\n")
        return port

    def run(self, command: list[str], stdin: str = "") -> None:
        """A step of `prepare`, as the server's user and into its log. Raises ServerError."""
        with self.log.open("ab") as log:
            done = subprocess.run(
                command,
                input=stdin.encode(),
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment(),
                user=self.user,
                group=self.group,
                extra_groups=None if self.group is None else [],
                check=False,
            )
        if done.returncode:
            raise ServerError(f"{self.name}: {Path(command[0]).name} failed with {done.returncode}; see {self.log}")

    def _wait_for_answer(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.pid():
            with suppress(OSError):
                if self.answers():
                    return
            if time.monotonic() > deadline:
                self.kill()
                raise ServerError(f"{self.name} did not answer for {PATIENCE:.0f} s, and was killed; see {self.log}")
            time.sleep(0.02)
        self._reap()
        raise ServerError(f"{self.name} ended while it started; see {self.log}")

    def _gone(self, pid: int) -> bool:
        deadline = time.monotonic() + PATIENCE
        while started(pid) is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def _reap(self) -> None:
        if self._child:
            self._child.wait()
            self._child = None


def started(pid: int) -> int | None:
    """When a process began, in clock ticks since the machine's start; None if there is none, or only a zombie."""
    stat = _stat(pid)
    return int(stat[19]) if stat and stat[0] not in "ZX" else None


def children(pid: int) -> list[int]:
    """The living children of a process."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [each for each in pids if (stat := _stat(each)) and int(stat[1]) == pid and stat[0] not in "ZX"]


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on: what stands before may contain anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    while True:
        port = random.SystemRandom().randrange(LOW, HIGH)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def environment() -> dict[str, str]:
    """Ours without what PostgreSQL's programs would take for their own settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def ask(port: int, question: bytes, length: int) -> bytes:
    """The first `length` bytes of an answer; fewer if the server hangs up. Raises OSError."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(question)
        while len(answer) < length and (more := connection.recv(length - len(answer))):
            answer += more
    return answer
