"""The peers' own environment, `.bench/venv`: what the product needs, the peers, and the product; made when missing.

The peers come last and may lower a version of what both need (their settings libraries): nothing of that is measured.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
HOME: Final = ROOT / ".bench" / "venv"
PYTHON: Final = HOME / "bin" / "python"
_LOCKS: Final = (ROOT / "requirements.lock", ROOT / "bench" / "requirements.txt")


def ensure() -> None:
    """Make it, or make it anew when what it should hold has changed. Raises CalledProcessError."""
    wanted = hashlib.sha256(b"".join(lock.read_bytes() for lock in _LOCKS)).hexdigest()
    stamp = HOME / ".installed"
    if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
        return
    print("installing the peers into .bench/venv", file=sys.stderr)
    venv.create(HOME, clear=True, with_pip=True)
    for lock in _LOCKS:
        _pip("--require-hashes", "-r", str(lock))
    _pip("--no-deps", "--no-build-isolation", "-e", str(ROOT))
    stamp.write_text(wanted, encoding="ascii")


def packages() -> Path:
    """Where it keeps what is installed."""
    return HOME / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def _pip(*words: str) -> None:
    subprocess.run(
        [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words],
        check=True,
        stdout=sys.stderr,
    )


if __name__ == "__main__":
    ensure()
