"""What is done to what a company stands on: its clock, its disk, its network."""

import random
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from tests.faults import apart, mounts
from tests.faults.apart import BROKER, DATABASE, FAR, Cables, FarKafka, FarPostgres
from tests.faults.company import Company
from tests.faults.faults import EMBEDDED, LARGE, MIXED, Fault
from tests.faults.mounts import Disk
from tests.servers.broker import Kafka
from tests.servers.database import Postgres
from tests.servers.program import ServerError
from tests.servers.servers import Servers

STEPS = (-7_200, -300, -10, 10, 300, 7_200)  # seconds
WHOSE = {"postgres": "PostgreSQL", "kafka": "broker"}
FULL, FAILS, READ_ONLY = "full", "fails", "read-only"


class ClockSteps(Fault):
    """The clock of one process, or of all, jumps; the monotonic one goes on, as it does when somebody sets the time."""

    name = "clock steps"
    doubtful = True

    def missing(self) -> str | None:
        return None if shutil.which("cc") else "there is no C compiler"

    def prepare(self, company: Company, servers: Servers) -> Callable[[], None]:
        clock = company.folder / "clock.so"
        source = Path(__file__).with_name("clock.c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", clock, source], check=True)  # noqa: S607
        for process in company.processes:
            file = company.folder / f"clock-{process.name}"
            file.write_bytes(bytes(8))
            process.environment |= {"LD_PRELOAD": str(clock), "FAULTS_CLOCK": str(file)}
        return lambda: None

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        step = chance.choice(STEPS)
        which = company.processes if chance.random() < 0.3 else [chance.choice(company.processes)]
        for process in which:
            with (company.folder / f"clock-{process.name}").open("r+b") as file:  # in place: it is mapped
                file.write(struct.pack("q", step))
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
    """A server's data are on a disk of their own, which is full, or fails, or can only be read.

    What Kafka acknowledged may be in the kernel's memory only, its replicas being what it relies on; there are none
    here. So its disk is filled, and never lost.
    """

    doubtful = overtaken = True

    def __init__(self, part: str, how: str) -> None:
        self.part, self.how = part, how
        self.name = f"{WHOSE[part]}'s disk {how}"

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
        ended = _harm(self.disk, self.how, chance, end=server.kill, start=lambda: _try(server))
        ended = ended or not server.pid()
        server.start()
        return f"{self.name}{', and it ended' if ended else ''}"


class OwnDisk(Fault):
    """The same under the data folder of an embedded installation."""

    doubtful = True

    def __init__(self, how: str) -> None:
        self.how = how
        self.kills = how != FULL
        self.name = f"disk {how}"

    def missing(self) -> str | None:
        return mounts.missing()

    def settings(self) -> Mapping[str, str]:
        return {"PULSEHUB_MIN_FREE_DISK": "0"}  # else the door would stop long before

    def prepare(self, company: Company, servers: Servers) -> Callable[[], None]:
        self.disk = Disk(company.settings.data.absolute())
        return self.disk.remove

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        (victim,) = company.webs

        def end() -> None:
            victim.wanted = False
            victim.kill()

        _harm(self.disk, self.how, chance, end=end, start=victim.start)
        if not victim.wanted:
            victim.start()
        return self.name


def _harm(disk: Disk, how: str, chance: random.Random, end: Callable[[], None], start: Callable[[], None]) -> bool:
    """Take the disk away from whoever uses it, and give it back; whether that was ended for it, and is to be started.

    One that fails fails under open files, and is mended when they are closed. One that can only be read is so from a
    start on, as after a boot that found it broken.
    """
    if how == FULL:
        disk.fill()
        time.sleep(chance.uniform(1, 6))
        disk.empty()
        return False
    if how == FAILS:
        disk.fail()
        time.sleep(chance.uniform(1, 4))
        end()
        disk.mend()
        return True
    end()
    disk.protect()
    start()
    time.sleep(chance.uniform(1, 6))
    disk.release()
    return False


def _try(server: Kafka | Postgres) -> None:
    with suppress(ServerError):
        server.start()


def _use(servers: Servers, kafka: Kafka, postgres: Postgres) -> None:
    """Have these run in the places of those there are."""
    servers.kafka.stop()
    servers.postgres.stop()
    servers.kafka, servers.postgres = kafka, postgres
    servers.parts = [kafka, postgres, servers.redis]
    servers.start()


FAULTS: dict[str, list[Fault]] = {
    "large": [
        *LARGE,
        MIXED["large"],
        *(ServersDisk("postgres", how) for how in (FULL, FAILS, READ_ONLY)),
        ServersDisk("kafka", FULL),
        ClockSteps(),
        CutOff(),
    ],
    "embedded": [*EMBEDDED, MIXED["embedded"], *(OwnDisk(how) for how in (FULL, FAILS, READ_ONLY)), ClockSteps()],
}
