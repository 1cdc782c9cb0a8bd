"""Apache Kafka, one node in KRaft mode, from the jars of Maven Central."""

import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path

from tests.servers.program import Program, ServerError, ask

HERE = Path(__file__).parent / "kafka"
JARS = HERE.parents[2] / ".servers" / "jars"
CLUSTER = "PulsehubTestsServers0w"  # 16 bytes in base64
METADATA = struct.pack(">ihhi h i", 14, 3, 1, 1, -1, 0)  # request 3, version 1: which brokers there are, no topics
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=33554432
"""


class Kafka(Program):
    """A broker that is its own controller; topics are made by whoever needs them.

    Killed, it must outlast the session of its former self before it may register again: 3 s here, 9 s by default.
    """

    name = "kafka"

    def prepare(self) -> None:
        java = _java()
        data = self.data()
        properties = self.folder / "server.properties"
        properties.write_text(
            PROPERTIES.format(port=self.port, controller=self.keep_port("controller.port"), data=data)
        )
        classpath = _classpath()
        if not (data / "meta.properties").exists():
            tool = [java, "-Xmx128m", "-XX:TieredStopAtLevel=1", *classpath, "kafka.tools.StorageTool"]
            self.run([*tool, "format", "--cluster-id", CLUSTER, "--config", str(properties.resolve())])

    def data(self) -> Path:
        """What it keeps."""
        return (self.folder / "data").resolve()

    def command(self) -> list[str]:
        properties = str((self.folder / "server.properties").resolve())
        return [_java(), "-Xmx512m", "-XX:+UseG1GC", *_classpath(), "kafka.Kafka", properties]

    def answers(self) -> bool:
        """The brokers of its metadata: it is one of them when it may be given work."""
        answer = ask(self.port, METADATA, 12)
        return len(answer) == 12 and struct.unpack(">iii", answer)[2] > 0


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None)
    if not found:
        raise ServerError("kafka needs Java 17: install a runtime (Debian: apt-get install default-jre-headless)")
    return found


def _classpath() -> list[str]:
    return [f"-Dlog4j.configuration=file:{HERE / 'log4j.properties'}", "-cp", f"{jars()}/*"]


def jars() -> Path:
    """The folder of jars (PULSEHUB_JARS, else .servers/jars), fetched when there is none. Raises ServerError."""
    folder = Path(os.environ.get("PULSEHUB_JARS") or JARS).resolve()
    if any(folder.glob("kafka_*.jar")):
        return folder
    maven = shutil.which("mvn")
    if not maven:
        raise ServerError(
            f"kafka's jars are not in {folder} and there is no Maven to fetch them: install it"
            " (Debian: apt-get install maven), or put them there and name the folder in PULSEHUB_JARS"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not any(folder.glob("kafka_*.jar")):
            _fetch(maven, folder)
    return folder


def _fetch(maven: str, folder: Path) -> None:
    """All or nothing: into a folder beside, which then takes the name."""
    beside, log = Path(f"{folder}.fetching"), Path(f"{folder}.log")
    shutil.rmtree(beside, ignore_errors=True)
    with log.open("wb") as said:
        done = subprocess.run(
            [maven, "-q", "-B", "-f", HERE / "pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={beside}"],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            check=False,
        )
    if done.returncode:
        raise ServerError(f"Maven could not fetch kafka's jars; see {log}")
    beside.rename(folder)
