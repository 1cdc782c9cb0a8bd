"""Kafka, PostgreSQL and Redis of a folder: the real parts, on free ports of 127.0.0.1.

Tests of faults start a set of their own and break it part by part: `servers.kafka.kill()`, `.pause()`, `.resume()`,
`.stop()`, `.start()`. Everybody else shares the one that `make servers` starts.
"""

import fcntl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.servers.broker import Kafka
from tests.servers.cache import Redis
from tests.servers.database import Postgres
from tests.servers.program import Program, ServerError


class Servers:
    """What runs, or would run, out of a folder; nothing is started before `start`.

    `durable=False` is PostgreSQL that never waits for the disk. Kafka leaves that to its replicas in any case.
    `conf` is a file of PostgreSQL's settings.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kafka: bool = True,
        postgres: bool = True,
        redis: bool = True,
        durable: bool = True,
        conf: Path | None = None,
    ) -> None:
        self.folder = folder
        self.kafka = Kafka(folder)
        self.postgres = Postgres(folder, durable=durable, conf=conf)
        self.redis = Redis(folder)
        wanted = {self.kafka: kafka, self.postgres: postgres, self.redis: redis}
        self.parts: list[Program] = [part for part, want in wanted.items() if want]

    def start(self) -> None:
        """Start what does not run, side by side; return when all answer. Raises ServerError with all that is wrong."""
        with self._alone(), ThreadPoolExecutor() as threads:
            errors = [future.exception() for future in [threads.submit(part.start) for part in self.parts]]
        if wrong := [error for error in errors if error]:
            if other := next((error for error in wrong if not isinstance(error, ServerError)), None):
                raise other
            raise ServerError("\n".join(map(str, wrong)))

    def stop(self) -> None:
        """End what runs."""
        with self._alone(), ThreadPoolExecutor() as threads:
            list(threads.map(lambda part: part.stop(), self.parts))

    def remove(self) -> None:
        """Kill what runs and forget all of it: the end of a set that was one test's own."""
        with self._alone():
            for part in self.parts:
                part.remove()

    def environment(self) -> dict[str, str]:
        """What tells tests where the parts are."""
        addresses = {
            self.kafka: ("PULSEHUB_TEST_BROKER", f"kafka://127.0.0.1:{self.kafka.port}"),
            self.postgres: ("PULSEHUB_TEST_DATABASE", f"postgresql://pulsehub@127.0.0.1:{self.postgres.port}/pulsehub"),
            self.redis: ("PULSEHUB_TEST_REDIS", f"redis://127.0.0.1:{self.redis.port}/0"),
        }
        return dict(addresses[part] for part in self.parts)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two at once would start everything twice."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
