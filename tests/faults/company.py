"""A company in miniature: real processes by the command line, started again when they die, as an init system would."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from hub.settings import load
from hub.worker.beside import Beside
from tests.faults.process import FUSE, NAME
from tests.servers.program import free_port

REPOSITORY = Path(__file__).parents[2]
AGAIN = 0.3  # seconds until what died is started again
START = 120.0  # seconds until every door must be able
DRAIN = 30.0  # seconds a process has to end after SIGTERM


class Process:
    """One process of the company, through all its lives."""

    def __init__(self, name: str, words: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.words = words
        self.log = folder / f"{name}.log"
        self.prefix: list[str] = []
        self.wanted = False
        self.lives = 0
        self.deaths = 0
        self.child: subprocess.Popen | None = None
        self.environment = dict(environment)
        self._one = threading.Lock()

    @property
    def who(self) -> str:
        """What it is called at the database in this life."""
        return f"{self.name}.{self.lives}"

    @property
    def alive(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def start(self) -> None:
        """Start it, for it to run until its end is wanted; who tends it may have been quicker."""
        with self._one:
            self.wanted = True
            if not self.alive:
                self._start()

    def again(self) -> None:
        """Start it unless it runs, or its end is wanted."""
        with self._one:
            if self.wanted and not self.alive:
                self._start()

    def _start(self) -> None:
        self.lives += 1
        environment = {**os.environ, **self.environment, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        if "postgresql:" in environment.get("PULSEHUB_DATABASE_URL", ""):
            environment["PULSEHUB_DATABASE_URL"] += f"?application_name={self.who}"
        environment |= {FUSE: str(self.log.with_name(FUSE)), NAME: self.name}
        with self.log.open("ab") as log:
            log.write(f"--- life {self.lives}\n".encode())
            self.child = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "tests.faults.process", *self.words],
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """-9, this moment."""
        if self.child is not None:
            self.child.kill()
            self.child.wait()

    def signal(self, number: int) -> None:
        if self.alive:
            self.child.send_signal(number)

    def end(self, patience: float = DRAIN) -> float:
        """SIGTERM; seconds it took. Raises subprocess.TimeoutExpired after killing it."""
        with self._one:
            self.wanted = False
        begun = time.monotonic()
        if self.alive:
            self.child.send_signal(signal.SIGCONT)
            self.child.terminate()
            try:
                self.child.wait(patience)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return time.monotonic() - begun


class Company:
    """Processes of one installation.

    Args:
        folder: of its logs and, embedded, its data.
        environment: `PULSEHUB_*` of the installation.
        large: webs, workers and a learner; else one `up`.
        crew: how many webs and workers.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, large: bool = True, crew: tuple[int, int] = (2, 3)
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.environment = {"PULSEHUB_LOG_LEVEL": "info", "PULSEHUB_DATA": str(folder / "data"), **environment}
        self.settings, _ = load(self.environment)
        self.doors = [free_port() for _ in range(crew[0] if large else 1)]
        self.webs = [
            self._process(f"{'web' if large else 'up'}-{n}", ["web" if large else "up", "--port", str(port)])
            for n, port in enumerate(self.doors, 1)
        ]
        self.workers = [self._process(f"worker-{n}", ["worker"]) for n in range(1, crew[1] + 1)] if large else []
        self.guests = [self._process("guest", ["worker"])] if large else []  # they come and go
        self.learners = [self._process("learner-1", ["learner"])] if large else []
        self.large = large
        self.killed_by_fuse = 0
        self._tending: threading.Thread | None = None
        self._closing = threading.Event()

    @property
    def processes(self) -> list[Process]:
        return [*self.webs, *self.workers, *self.guests, *self.learners]

    @property
    def partitions(self) -> int:
        return self.settings.topic_partitions

    @property
    def database_url(self) -> str:
        """For psycopg."""
        return self.settings.database

    def start(self) -> None:
        """Start all, and whatever dies from now on again; returns once every door is able."""
        first, *others = self.processes
        first.start()
        self.able(START)
        for process in others:
            if process not in self.guests:
                process.start()
        self._tending = threading.Thread(target=self._tend, daemon=True)
        self._tending.start()
        self.able(START)

    def able(self, patience: float) -> None:
        """Wait until every door that runs says it is ready. Raises TimeoutError."""
        until = time.monotonic() + patience
        for door, web in zip(self.doors, self.webs, strict=True):
            while web.lives and not _ready(door):
                if time.monotonic() > until:
                    raise TimeoutError(f"{web.name} was not ready within {patience:.0f} s; see {web.log}")
                time.sleep(0.1)

    def stop(self) -> dict[str, float]:
        """End everything; seconds each took to end after SIGTERM, infinity where it had to be killed."""
        self._closing.set()
        if self._tending:
            self._tending.join()
        took: dict[str, float] = {}

        def end(process: Process) -> None:
            try:
                took[process.name] = process.end()
            except subprocess.TimeoutExpired:
                took[process.name] = float("inf")

        threads = [threading.Thread(target=end, args=(process,)) for process in self.processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return took

    @contextmanager
    def beside(self) -> Iterator[Beside]:
        """Its log and database, opened here."""
        beside = Beside(self.settings)
        try:
            yield beside
        finally:
            beside.close()

    @property
    def fuse(self) -> Path:
        """The file that arms it, for all processes."""
        return self.folder / FUSE

    def tell(self) -> None:
        """Have each process write into its log where it stands; for whoever looks why something hangs."""
        for process in self.processes:
            process.signal(signal.SIGUSR1)
        time.sleep(1)

    def some(self, chance: random.Random) -> Process:
        """One that runs."""
        return chance.choice([process for process in self.processes if process.alive])

    def _process(self, name: str, words: list[str]) -> Process:
        return Process(name, words, self.folder, self.environment)

    def _tend(self) -> None:
        died: dict[str, float] = {}
        while not self._closing.wait(0.05):
            for process in self.processes:
                if not process.wanted or process.alive:
                    died.pop(process.name, None)
                    continue
                now = time.monotonic()
                if process.name not in died:
                    died[process.name] = now
                    process.deaths += 1
                    with process.log.open("a") as log:
                        log.write(f"--- ended: {process.child.returncode}\n")
                elif now - died[process.name] >= AGAIN:
                    process.again()


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
