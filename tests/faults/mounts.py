"""A disk of the test's own, to fill and to fail: an ext4 in a file, which takes root and a loop device."""

import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path

SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN; 0 is "flush, then fail"
SIZE = 1 << 30  # a long run on a busy machine filled 400 MB by itself


def missing() -> str | None:
    """Why there can be none."""
    if os.geteuid() != 0:
        return "only root may mount"
    if not (shutil.which("mkfs.ext4") and Path("/dev/loop-control").exists()):
        return "there is no mkfs.ext4 or no loop device"
    return None


class Disk:
    """Mounted at `place`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._image = place.with_suffix(".ext4")
        place.mkdir(parents=True, exist_ok=True)
        with self._image.open("wb") as image:
            image.truncate(SIZE)
        _run("mkfs.ext4", "-q", "-F", self._image)
        self.mount()

    def mount(self) -> None:
        _run("mount", "-o", "loop", self._image, self.place)

    def fill(self) -> None:
        """Not a byte is left."""
        with (self.place / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(1 << 16))
            except OSError:
                return

    def empty(self) -> None:
        """As before."""
        (self.place / "ballast").unlink()

    def fail(self) -> None:
        """From here on nothing can be read or written, whoever has files open; what was synced is there, once mended.

        Not `mount -o remount,abort`: an fsync that it overtakes is answered yes, and SQLite alone lost commits by it.
        """
        place = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(place, SHUTDOWN, struct.pack("I", 0))
        finally:
            os.close(place)

    def protect(self) -> None:
        """It can only be read; nobody may have a file open for more."""
        _run("mount", "-o", "remount,ro", self.place)

    def release(self) -> None:
        """As before."""
        _run("mount", "-o", "remount,rw", self.place)

    def mend(self) -> None:
        """Check it and mount it again; nobody may have a file open."""
        _run("umount", self.place)
        subprocess.run(["e2fsck", "-f", "-y", self._image], check=False, capture_output=True)  # noqa: S607
        self.mount()

    def remove(self) -> None:
        _run("umount", "-l", self.place)
        self._image.unlink()


def copy(source: Path, target: Path) -> None:
    """All that is in one folder into another, with its owners and the folder's own."""
    _run("cp", "-a", "--sparse=always", f"{source}/.", target)


def _run(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)
