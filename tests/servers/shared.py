"""The one set that everybody shares, in `.servers/` of the checkout: where it is, and whether it answers."""

import socket
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from urllib.parse import urlsplit

FOLDER = Path(__file__).parents[2] / ".servers"
ENV = FOLDER / "env"
PARTS = {
    "PULSEHUB_TEST_BROKER": "Kafka",
    "PULSEHUB_TEST_DATABASE": "PostgreSQL",
    "PULSEHUB_TEST_REDIS": "Redis",
}


def write_env(path: Path, variables: Mapping[str, str]) -> None:
    """As lines a shell can source."""
    path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))


def read_env(path: Path) -> dict[str, str]:
    """The variables of such a file; none if there is no file."""
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def export(environ: MutableMapping[str, str], path: Path = ENV) -> dict[str, str]:
    """Set what is not set already and answers; returns all there is, by variable."""
    for name, url in read_env(path).items():
        if name in PARTS and name not in environ and listening(url):
            environ[name] = url
    return {name: environ[name] for name in PARTS if environ.get(name)}


def listening(url: str) -> bool:
    """Whether somebody takes connections at the address of a URL."""
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname, address.port), timeout=1).close()
    except OSError:
        return False
    return True


def sentence(found: Mapping[str, str]) -> str:
    """What a run of tests has of the real parts, and what it has not."""
    have = [
        f"{part} at {urlsplit(found[name]).netloc.rpartition('@')[2]}" for name, part in PARTS.items() if name in found
    ]
    lack = [part for name, part in PARTS.items() if name not in found]
    said = [f"real parts: {', '.join(have)}" if have else "real parts: none"]
    if lack:
        said.append(f"tests of {', '.join(lack)} are skipped (make servers starts them)")
    return "; ".join(said)
