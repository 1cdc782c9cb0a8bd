"""What is done to a company. Each breaks one thing once and leaves it mended; the rest is the company's business."""

import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence

import psycopg
import redis

from tests.faults.company import Company, Process
from tests.faults.process import CLAIMING, POINTS, burnt
from tests.servers.servers import Servers

KILLS = (17, 170_000)
REACHED = 40.0  # seconds until somebody must have come to a point


class Fault:
    """One way to break things.

    Attributes:
        name: as in the table.
        kills: whether a strike ends a process of ours.
        doubtful: whether a call may be cut off so that nobody learns its end: an alert may then be mailed again.
        overtaken: whether a call of a paused process may arrive after its successor's (docs/adr/0011).
        compared: whether an embedded installation is told the same afterwards, and must come to the same.
        long: strikes and events of the long run: 18 ways to kill, with 10,000 events for each of 306 kills.
        customers: how many the company has.
        crew: how many webs and workers it has where there is more than one process.
    """

    name = ""
    long = (10, 20_000)
    customers = 120
    crew = (2, 3)
    kills = doubtful = overtaken = compared = False

    def missing(self) -> str | None:
        """Why it cannot be done on this machine."""
        return None

    def settings(self) -> Mapping[str, str]:
        """What the installation is told."""
        return {}

    def prepare(self, company: Company, servers: Servers) -> Callable[[], None]:
        """Before the company starts; what is returned is called when it has ended."""
        return lambda: None

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        """Do it; what was done, in words. Returns when it is over."""
        raise NotImplementedError


class Kill(Fault):
    """kill -9 of any process, any moment."""

    name = "kill -9, any process"
    long = KILLS
    kills = doubtful = True

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        victim = company.some(chance)
        who = victim.who
        victim.kill()
        return f"killed {who}"


class Point(Fault):
    """Whichever process is the first to come to a named point for the n-th time kills itself there."""

    long = KILLS
    kills = doubtful = True

    def __init__(self, point: str) -> None:
        self.point = point
        self.name = f"kill -9, {point}"
        self._number = 0

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        self._number += 1  # two that say the same are two
        many = 3 if self.point == CLAIMING else 12
        fuse = company.fuse.with_suffix(".new")
        fuse.write_text(f"{self.point}:{chance.randint(1, many)}:{self._number}")
        fuse.rename(company.fuse)
        if self.point == CLAIMING:  # somebody must leave something to claim
            chance.choice([one for one in company.workers or company.webs if one.alive]).kill()
        until = time.monotonic() + REACHED
        while company.fuse.exists() and time.monotonic() < until:
            time.sleep(0.05)
        found = list(company.folder.glob(burnt(company.fuse, "*").name))
        for file in found:
            file.unlink()
        if found:
            return f"{found[0].name.rpartition('-by-')[2]} killed itself {self.point}"
        company.fuse.unlink(missing_ok=True)
        victim = company.some(chance)
        victim.kill()
        return f"nobody came to be {self.point}, and {victim.name} was killed"


class Rebalance(Fault):
    """A worker leaves and comes again, or another joins for a while: partitions go to others and come back."""

    name = "rebalance under load"
    long = (50, 50_000)

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        if chance.random() < 0.4:
            (guest,) = company.guests
            guest.start()
            time.sleep(chance.uniform(2, 6))
            took = guest.end()
            return f"{guest.name} joined, and left within {took:.1f} s"
        victim = chance.choice(company.workers)
        took = victim.end()
        time.sleep(chance.uniform(0, 2))
        victim.start()
        return f"{victim.name} left within {took:.1f} s and came again"


class Pause(Fault):
    """A worker is stopped past its session, and goes on as if nothing had happened."""

    name = "paused past its session"
    doubtful = overtaken = True

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        victim = chance.choice([one for one in company.workers if one.alive])
        return _paused(victim, chance.uniform(8, 14))


class Hang(Fault):
    """The one process of an embedded installation is stopped, and goes on as if nothing had happened."""

    name = "paused"

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        return _paused(chance.choice([one for one in company.webs if one.alive]), chance.uniform(1, 20))


class BrokerStopped(Fault):
    """The broker is stopped as its manual says, and started."""

    name = "broker stopped and started"

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        servers.kafka.stop()
        time.sleep(chance.uniform(0, 3))
        servers.kafka.start()
        return self.name


class BrokerKilled(Fault):
    """kill -9 of the broker, and a new start."""

    name = "broker killed"

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        servers.kafka.kill()
        time.sleep(chance.uniform(0, 3))
        servers.kafka.start()
        return self.name


class BrokerPaused(Fault):
    """The broker answers nobody for a while; connections stay open."""

    name = "broker hangs"

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        servers.kafka.pause()
        time.sleep(chance.uniform(2, 12))
        servers.kafka.resume()
        return self.name


class PostgresRestarted(Fault):
    """PostgreSQL is stopped (fast) and started."""

    name = "PostgreSQL restarted"
    doubtful = overtaken = True

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        servers.postgres.stop()
        time.sleep(chance.uniform(0, 3))
        servers.postgres.start()
        return self.name


class PostgresKilled(Fault):
    """kill -9 of PostgreSQL, and its recovery."""

    name = "PostgreSQL killed"
    doubtful = overtaken = True

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        servers.postgres.kill()
        time.sleep(chance.uniform(0, 3))
        servers.postgres.start()
        return self.name


class ConnectionsDropped(Fault):
    """pg_terminate_backend of every connection there is, a few times."""

    name = "connections dropped"
    doubtful = overtaken = True

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        many = 0
        for _ in range(chance.randint(1, 4)):
            with psycopg.connect(_admin(servers), autocommit=True) as connection:
                many += len(
                    connection.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity"
                        " where pid <> pg_backend_pid() and backend_type = 'client backend'"
                    ).fetchall()
                )
            time.sleep(chance.uniform(0, 1))
        return f"{many} connections dropped"


class RedisFlushed(Fault):
    """Redis forgets everything."""

    name = "Redis flushed"

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        with redis.Redis(port=servers.redis.port) as client:
            client.flushall()
        time.sleep(0.5)
        return self.name


class RedisStopped(Fault):
    """Redis is gone for some seconds, or answers nobody."""

    name = "Redis stopped"

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        if chance.random() < 0.5:
            servers.redis.kill()
            time.sleep(chance.uniform(1, 6))
            servers.redis.start()
            return "Redis killed, back"
        servers.redis.pause()
        time.sleep(chance.uniform(1, 6))
        servers.redis.resume()
        return "Redis hung, back"


class Nothing(Fault):
    """Only load, duplicates, disorder, lateness, poison, and destinations that fail."""

    name = "load alone"
    long = (1, 20_000)
    compared = True

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        time.sleep(1)
        return self.name


class Several(Fault):
    """Several faults, one after another on one installation; each once before any comes again."""

    kills = doubtful = overtaken = True

    def __init__(self, name: str, faults: Sequence[Fault], *, shuffled: bool = False) -> None:
        self.name, self.faults, self.shuffled = name, list(faults), shuffled
        self.long = (2 * len(faults), 60_000) if shuffled else (len(faults), 1_000)
        self.customers, self.crew = (120, (2, 3)) if shuffled else (40, (1, 2))
        self._left: list[Fault] = []

    def strike(self, company: Company, servers: Servers, chance: random.Random) -> str:
        if not self._left:
            self._left = chance.sample(self.faults, len(self.faults)) if self.shuffled else [*self.faults]
        return self._left.pop(0).strike(company, servers, chance)


def _paused(victim: Process, seconds: float) -> str:
    who = victim.who
    victim.signal(signal.SIGSTOP)
    time.sleep(seconds)
    victim.signal(signal.SIGCONT)
    return f"{who} was paused for {seconds:.1f} s"


def _admin(servers: Servers) -> str:
    return f"postgresql://postgres@127.0.0.1:{servers.postgres.port}/postgres"


LARGE: list[Fault] = [
    Nothing(),
    Kill(),
    *(Point(point) for point in POINTS),
    Rebalance(),
    Pause(),
    BrokerStopped(),
    BrokerKilled(),
    BrokerPaused(),
    PostgresRestarted(),
    PostgresKilled(),
    ConnectionsDropped(),
    RedisFlushed(),
    RedisStopped(),
]
EMBEDDED: list[Fault] = [Nothing(), Kill(), *(Point(point) for point in POINTS), Hang()]
MIXED = {
    engine: Several("mixture", faults[1:], shuffled=True)
    for engine, faults in (("large", LARGE), ("embedded", EMBEDDED))
}
SHORT = {
    "large": Several("short", [Point("in the transaction"), ConnectionsDropped(), RedisFlushed(), BrokerKilled()]),
    "embedded": Several("short", [Point("in the transaction"), Point("before an acknowledgement"), Kill()]),
}
