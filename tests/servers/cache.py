"""Redis that remembers nothing over its end."""

import shutil

from tests.servers.program import Program, ServerError, ask


class Redis(Program):
    """A server without persistence."""

    name = "redis"

    def command(self) -> list[str]:
        found = shutil.which("redis-server")
        if not found:
            raise ServerError("there is no redis-server: install Redis (Debian: apt-get install redis-server)")
        return [
            *(found, "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no", "--dir", str(self.folder.resolve())),
        ]

    def answers(self) -> bool:
        return ask(self.port, b"PING\r\n", 7) == b"+PONG\r\n"
