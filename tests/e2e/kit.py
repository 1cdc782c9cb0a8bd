"""Pulsehub as its users have it: a command in a process of its own, its settings in the environment."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from functools import cached_property

import httpx

PATIENCE = 60.0  # seconds; a machine may be busy
COMMAND = (sys.executable, "-m", "hub.cli")


def environment(folder, settings=None):
    """What a process of ours sees: nothing of the tester's own settings, and a data folder."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PULSEHUB_")}
    return bare | {"PULSEHUB_DATA": str(folder), "COLUMNS": "200"} | dict(settings or {})


def start(folder, *arguments, settings=None, **options):
    """Start `pulsehub ARGUMENTS` with its outputs in pipes, in a folder where it finds no settings of anybody's."""
    home = next(above for above in folder.parents if above.is_dir()) / "elsewhere"
    home.mkdir(exist_ok=True)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen([*COMMAND, *map(str, arguments)], env=environment(folder, settings), cwd=home, **pipes)


def pulsehub(folder, *arguments, settings=None):
    """Run a command to its end."""
    process = start(folder, *arguments, settings=settings)
    out, err = process.communicate(timeout=PATIENCE * 2)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def document(folder, *arguments, settings=None, status=0):
    """What a command prints with `--json`: one document on standard output and nothing else."""
    done = pulsehub(folder, *arguments, "--json", settings=settings)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


class Running:
    """A process of ours that runs until it is told to stop: `pulsehub up`, or one of the roles.

    Several may be started at once: only who asks for its `url` waits until it answers.
    """

    def __init__(self, folder, settings, *words, name=None):
        self.folder, self.settings = folder, settings
        self.log = folder.parent / f"{name or folder.name}.log"
        with self.log.open("ab") as err:
            self.process = start(folder, *words, "--port", "0", "--json", settings=settings, stderr=err)

    @cached_property
    def url(self):
        """Where it answers, once it does."""
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line == "}\n":
                break
        assert lines, f"it did not start: {self.said()[-2_000:]}"
        return json.loads("".join(lines))["url"]

    def said(self):
        """Its standard error so far, over all its lives."""
        return self.log.read_text(encoding="utf-8")

    def kill(self):
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def stop(self, number=signal.SIGTERM):
        """Ask it to stop; its exit status and the seconds that took."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ended(), time.monotonic() - began

    def ended(self):
        """Wait for its end; its exit status."""
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return status


class Up(Running):
    """A running `pulsehub up`, which answers."""

    def __init__(self, folder, settings=None, *arguments):
        super().__init__(folder, settings, "up", *arguments)
        assert self.url


@contextlib.contextmanager
def up(folder, settings=None, *arguments):
    """`with up(folder) as hub`: running, answering at `hub.url`; stopped at the end, however that comes."""
    hub = Up(folder, settings, *arguments)
    try:
        yield hub
    finally:
        if hub.process.poll() is None:
            hub.stop()


def until(true, *, patience=PATIENCE, why="it did not happen", look=0.05):
    """Wait for something to hold, and hand on what it was."""
    end = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < end, why if isinstance(why, str) else why()
        time.sleep(look)
    return found


def post(url, ping):
    """Send one webhook and insist on its being taken."""
    reply = httpx.post(url + ping.path, content=ping.body, headers=dict(ping.headers), timeout=30)
    assert reply.status_code == 200, reply.text
    return reply.json()


def quiet(folder, settings=None):
    """Wait until the hub beside us has taken everything; the books as `doctor` gives them."""

    def books():
        told = document(folder, "doctor", settings=settings)
        return told if told["pending"] == 0 else None

    return until(books, why="events are still pending")
