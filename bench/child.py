"""A process of its own, so that what is measured and who measures share no interpreter."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

PULSEHUB = ("-c", "from hub.cli import main; main()")
UP = (*PULSEHUB, "up", "--port", "0", "--json")
_PATIENCE = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Child:
    """A Python process that says where it answers, in the first JSON document on its standard output.

    Args:
        words: arguments of the interpreter.
        data: its `PULSEHUB_DATA`.
        more: further settings, `PULSEHUB_...`.
    """

    def __init__(self, words: Sequence[str], data: Path, more: Mapping[str, str] | None = None) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PULSEHUB_")}
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, *words],
            env=clean | {"PULSEHUB_DATA": str(data), "PULSEHUB_LOG_LEVEL": "warning", **(more or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.url = self._url()

    def cpu(self) -> float:
        """Processor seconds it has used, user and system."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident(self) -> float:
        """Bytes of memory it has."""
        said = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return float(said.partition("VmRSS:")[2].split()[0]) * 1_024

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is kept alive."""
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=_PATIENCE)

    def ready(self) -> float:
        """Seconds from its birth until `/readyz` answers 200."""
        connection = self.connect()
        while True:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            answer.read()
            if answer.status == http.client.OK:
                return time.perf_counter() - self.began
            time.sleep(0.005)

    def stop(self) -> None:
        """End it, cleanly."""
        self._process.terminate()
        self._process.communicate(timeout=_PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _url(self) -> str:
        assert self._process.stdout is not None
        said = b""
        for line in self._process.stdout:
            said += line
            try:
                return str(json.loads(said)["url"])
            except ValueError:
                continue
        raise RuntimeError("the process ended before it answered")
