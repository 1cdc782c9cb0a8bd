"""What is done to what a company stands on: its clock, its disk, its network."""

import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.faults import apart, mounts
from tests.faults.apart import BROKER, DATABASE, FAR, Cables, FarKafka, FarPostgres
from tests.faults.company import Company
from tests.faults.faults import EMBEDDED, LARGE, Fault
from tests.faults.mounts import Disk
from tests.servers.broker import Kafka
from tests.servers.database import Postgres
from tests.servers.servers import Servers

STEPS = (-7_200, -300, -10, 10, 300, 7_200)  # seconds


class ClockSteps(Fault):
    """The clock of one process, or of all, jumps; the monotonic one goes on, as it does when somebody sets the time."""

    name = "clock steps"
    doubtful = True

    def missing(self) -> str | None:
        return None if _faketime() else "there is no libfaketime (Debian: apt-get install libfaketime)"

    def prepare(self, company: Company, servers: Servers) -> Callable[[], None]:
        for process in company.processes:
            file = company.folder / f"clock-{process.name}"
            file.write_text("+0\n")
            process.environment |= {
                "LD_PRELOAD": str(_faketime()),
                "FAKETIME_TIMESTAMP_FILE": str(file),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        return lambda: None

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        step = chance.choice(STEPS)
        which = company.processes if chance.random() < 0.3 else [chance.choice(company.processes)]
        for process in which:
            (company.folder / f"clock-{process.name}").write_text(f"{step:+d}\n")
        time.sleep(chance.uniform(1, 3))
        return f"the clock of {', '.join(one.name for one in which)} is {step:+d} s off"


class CutOff(Fault):
    """The network between one worker and the broker, the database or both lets nothing through for a while."""

    name = "worker cut off"
    doubtful = overtaken = True

    def missing(self) -> str | None:
        return apart.missing()

    def prepare(self, company: Company, servers: Servers) -> Callable[[], None]:
        self._cables = Cables()
        _use(servers, FarKafka(servers.folder), FarPostgres(servers.folder))
        victim = company.workers[-1]
        victim.prefix = self._cables.prefix
        victim.words = ["worker", "--rooms", "scoring,success,ingest"]
        given = victim.environment
        given.pop("PULSEHUB_REDIS_URL")
        for name, near, far in (
            ("PULSEHUB_BROKER_URL", servers.kafka.port, f"{BROKER}:{servers.kafka.keep_port(FAR)}"),
            ("PULSEHUB_DATABASE_URL", servers.postgres.port, f"{DATABASE}:{servers.postgres.port}"),
        ):
            given[name] = given[name].replace(f"127.0.0.1:{near}", far)

        def mend() -> None:
            servers.kafka.stop()
            servers.postgres.stop()
            self._cables.remove()
            _use(servers, Kafka(servers.folder), Postgres(servers.folder))

        return mend

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        pulled = chance.choice([[BROKER], [DATABASE], [BROKER, DATABASE]])
        seconds = chance.uniform(3, 16)
        for address in pulled:
            self._cables.pull(address)
        time.sleep(seconds)
        for address in pulled:
            self._cables.plug(address)
        names = {BROKER: "broker", DATABASE: "database"}
        return f"no way to {' and '.join(names[one] for one in pulled)} for {seconds:.0f} s"


class ServersDisk(Fault):
    """A server's data are on a disk of their own, on which not a byte is left, or which cannot be written any more.

    What Kafka acknowledged may be in the kernel's memory only, its replicas being what it relies on; there are none
    here. So its disk is filled, and never lost.
    """

    doubtful = overtaken = True

    def __init__(self, part: str, *, full: bool) -> None:
        self.part, self.full = part, full
        whose = {"postgres": "PostgreSQL", "kafka": "broker"}[part]
        self.name = f"{whose}'s disk {'full' if full else 'read-only'}"

    def missing(self) -> str | None:
        return mounts.missing()

    def prepare(self, company: Company, servers: Servers) -> Callable[[], None]:
        server: Kafka | Postgres = getattr(servers, self.part)
        server.stop()
        data = server.data()
        kept = data.with_name(f"{data.name}.kept")
        data.rename(kept)
        self.disk = Disk(data)
        (data / "lost+found").rmdir()  # Kafka takes every folder for a partition's
        mounts.copy(kept, data)
        server.start()

        def mend() -> None:
            server.stop()
            self.disk.remove()
            data.rmdir()
            kept.rename(data)
            server.start()

        return mend

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        server: Kafka | Postgres = getattr(servers, self.part)
        if self.full:
            self.disk.fill()
            time.sleep(chance.uniform(1, 6))
            self.disk.empty()
        else:
            self.disk.fail()
            time.sleep(chance.uniform(1, 4))
            server.kill()
            self.disk.mend()
        ended = not server.pid()
        server.start()
        return f"{self.name}{', and it ended' if ended and self.full else ''}"


class DiskFull(Fault):
    """Not a byte is left on the disk of an embedded installation."""

    name = "disk full"

    def missing(self) -> str | None:
        return mounts.missing()

    def settings(self) -> Mapping[str, str]:
        return {"PULSEHUB_MIN_FREE_DISK": "0"}  # else the door would stop long before

    def prepare(self, company: Company, servers: Servers) -> Callable[[], None]:
        self.disk = Disk(company.settings.data.absolute())
        return self.disk.remove

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        self.disk.fill()
        time.sleep(chance.uniform(1, 4))
        self.disk.empty()
        return "the disk was full"


class DiskFails(DiskFull):
    """The disk cannot be written any more, with all files open; the process is ended, the disk checked and mounted."""

    name = "disk read-only"
    kills = doubtful = True

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        (victim,) = company.webs
        self.disk.fail()
        time.sleep(chance.uniform(1, 4))
        victim.wanted = False
        victim.kill()
        self.disk.mend()
        victim.start()
        return "the disk was read-only"


def _use(servers: Servers, kafka: Kafka, postgres: Postgres) -> None:
    """Have these run in the places of those there are."""
    servers.kafka.stop()
    servers.postgres.stop()
    servers.kafka, servers.postgres = kafka, postgres
    servers.parts = [kafka, postgres, servers.redis]
    servers.start()


def _faketime() -> Path | None:
    return next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


FAULTS: dict[str, list[Fault]] = {
    "large": [
        *LARGE,
        ServersDisk("postgres", full=True),
        ServersDisk("postgres", full=False),
        ServersDisk("kafka", full=True),
        ClockSteps(),
        CutOff(),
    ],
    "embedded": [*EMBEDDED, DiskFull(), DiskFails(), ClockSteps()],
}
