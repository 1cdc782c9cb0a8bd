"""PostgreSQL, of the machine's own packages."""

import os
import pwd
import re
import shutil
import signal
import struct
import tempfile
from pathlib import Path

from tests.servers.program import Program, ServerError, ask

OLDEST = 14
PACKAGES = Path("/usr/lib/postgresql")  # where Debian puts the programs of a server, off the PATH
ROLE = "create role pulsehub login createdb;\n\ncreate database pulsehub owner pulsehub;\n\n"
FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
LOGIN = b"\0\3\0\0user\0pulsehub\0database\0pulsehub\0\0"  # protocol 3.0
GOODBYE = b"X\0\0\0\4"
READY = b"Z\0\0\0\5I"


class Postgres(Program):
    """A server with a role and a database named pulsehub, open to everybody on this machine.

    `durable=False` never waits for the disk: a test set loses nothing that anybody wants back. `conf` is a file of
    settings that it goes by.
    """

    name = "postgres"
    ends_by = signal.SIGINT  # closes connections; SIGTERM would wait for their ends

    def __init__(self, folder: Path, *, durable: bool = True, conf: Path | None = None) -> None:
        super().__init__(folder)
        self.durable = durable
        self.conf = settings_of(conf) if conf else []
        if os.geteuid() == 0:  # the server refuses to be root
            them = _postgres()
            self.user, self.group = them.pw_uid, them.pw_gid

    def prepare(self) -> None:
        data = self.data()
        if (data / "PG_VERSION").exists():
            return
        initdb = [_program("initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
        self.run([*initdb, "--locale=C", "--no-sync"])
        self.run([_program("postgres"), "--single", "-j", "-D", str(data), "postgres"], stdin=ROLE)

    def command(self) -> list[str]:
        settings = [
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=200",
            "timezone=UTC",
            *self.conf,
            *(() if self.durable else FORGETFUL),
        ]
        return [_program("postgres"), "-D", str(self.data()), *(part for each in settings for part in ("-c", each))]

    def answers(self) -> bool:
        """A login as pulsehub gets as far as to be asked for a query."""
        return READY in ask(self.port, struct.pack(">i", len(LOGIN) + 4) + LOGIN + GOODBYE, 1 << 16)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.data(), ignore_errors=True)
        super().remove()

    def data(self) -> Path:
        """Where the user that runs it can get at it: not in a checkout of root's."""
        if self.user is None:
            return (self.folder / "data").resolve()
        kept = self.folder / "data.path"
        if kept.exists() and (folder := Path(kept.read_text().strip())).is_dir():
            return folder
        folder = Path(tempfile.mkdtemp(prefix="pulsehub-postgres-"))
        os.chown(folder, self.user, self.group)
        kept.write_text(f"{folder}\n")
        return folder


def settings_of(conf: Path) -> list[str]:
    """`name=value` of each setting in a file as PostgreSQL reads it."""
    lines = [line.partition("#")[0].strip() for line in conf.read_text(encoding="utf-8").splitlines()]
    return [re.sub(r"\s*=\s*", "=", line, count=1) for line in lines if line]


def _postgres() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise ServerError(
            "there is no user postgres: install PostgreSQL (Debian: apt-get install postgresql)"
        ) from None


def _program(name: str) -> str:
    """The newest of its kind. Raises ServerError."""
    versions = [entry for entry in PACKAGES.glob("*/bin") if entry.parent.name.isdigit()]
    for folder in sorted(versions, key=lambda entry: -int(entry.parent.name)):
        if int(folder.parent.name) >= OLDEST and (folder / name).exists():
            return str(folder / name)
    if found := shutil.which(name):
        return found
    raise ServerError(f"there is no {name}: install PostgreSQL {OLDEST} or later (Debian: apt-get install postgresql)")
