"""Open a file by what it is, not by what it is called: plain, gzip, xz or Zstandard."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import zlib
from pathlib import Path
from typing import BinaryIO, Final, cast

import zstandard

from hub.sdk.errors import ConfigError, MalformedError

_PART: Final = 1 << 16
_EDGE: Final = 1 << 20
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_BROKEN: Final = (OSError, EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError)


class Opened:
    """A file's content, unpacked, and how much of the file that has taken.

    Args:
        path: of the file.

    Raises:
        ConfigError: there is no such file, or it may not be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("rb")
            self.size = path.stat().st_size
            magic = self._file.read(6)
            self._file.seek(0)
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}") from None
        self.packed = True
        if magic.startswith(b"\x1f\x8b"):
            self._stream = cast("BinaryIO", gzip.GzipFile(fileobj=self._file))
        elif magic == b"\xfd7zXZ\x00":
            self._stream = cast("BinaryIO", lzma.LZMAFile(self._file))  # noqa: SIM115 - closed by close
        elif magic.startswith(b"\x28\xb5\x2f\xfd"):
            self._stream = cast("BinaryIO", io.BufferedReader(_Zstandard(self._file), _PART))
        elif magic.startswith(_UTF16):
            self._file.close()
            raise ConfigError(f"{path} is UTF-16: save it as UTF-8")
        else:
            self._stream, self.packed = self._file, False

    @property
    def taken(self) -> int:
        """Bytes of the file read so far, as it lies on the disk."""
        return self._file.tell()

    def skip(self, offset: int) -> None:
        """Go on from this many bytes of content.

        Raises:
            MalformedError: the content ends before.
        """
        if not self.packed:
            self._file.seek(offset)
            return
        while offset > 0:
            part = self.read(min(offset, _PART))
            if not part:
                raise MalformedError(f"{self.path} is shorter than when its import began")
            offset -= len(part)

    def read(self, most: int) -> bytes:
        """Up to `most` bytes of content; none at its end.

        Raises:
            MalformedError: the packed data is broken or breaks off.
        """
        try:
            return self._stream.read(most)
        except _BROKEN as error:
            raise MalformedError(f"{self.path} is broken from here on: {error}") from None

    def line(self, most: int) -> bytes:
        """The next line with its end, or its first `most` bytes; none at the end. Raises as `read`."""
        try:
            return self._stream.readline(most)
        except _BROKEN as error:
            raise MalformedError(f"{self.path} is broken from here on: {error}") from None

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()
        self._file.close()


def identity_of(path: Path) -> str:
    """Stands for a file's content: its size, its beginning and its end; the same wherever it lies."""
    digest = hashlib.blake2b(digest_size=8)
    with path.open("rb") as file:
        digest.update(b"%d:" % path.stat().st_size)
        digest.update(file.read(_EDGE))
        file.seek(max(0, path.stat().st_size - _EDGE))
        digest.update(file.read(_EDGE))
    return digest.hexdigest()


class _Zstandard(io.RawIOBase):
    """Zstandard frames, one after another; unlike the library's reader it tells when the last one breaks off."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False
        self._left = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # whatever BufferedReader hands in is a buffer
        while not self._ready:
            part = self._left or self._file.read(4096)  # a kibibyte may unpack to a megabyte
            self._left = b""
            if not part:
                if self._begun and not self._frame.eof:
                    raise EOFError("it breaks off")
                return 0
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._begun = True
            self._ready = memoryview(self._frame.decompress(part))
            self._left = self._frame.unused_data if self._frame.eof else b""
        many = min(len(view), len(self._ready))
        view[:many] = self._ready[:many]
        self._ready = self._ready[many:]
        return many
