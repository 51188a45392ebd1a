"""Contents: small ones in memory, large ones in temporary files without a name."""

from __future__ import annotations

import io
import tempfile
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, cast

from davbridge.emulator.hashes import quick_xor

IN_MEMORY = 8 << 20
HASHED = 256 << 20
"""Larger contents have no hash yet when they are asked for: the service computes them later too (§2.8)."""
_hashing = threading.Lock()
"""One large content at a time: it is work for the interpreter, of which there is one for all connections."""
_BLOCK = 1 << 20
_ZEROS = bytes(_BLOCK)


class Blob:
    """Bytes that never change once they are an item's content. `size` in bytes."""

    def __init__(self, data: bytes | None, path: Path | None, size: int) -> None:
        self._data = data
        self._path = path
        self._hash: str | None = None
        self.size = size

    @classmethod
    def of(cls, data: bytes) -> Blob:
        return cls(data, None, len(data))

    def open(self, start: int = 0) -> BinaryIO:
        """A reader at `start`."""
        if self._data is not None:
            reader: BinaryIO = io.BytesIO(self._data)
        else:
            assert self._path is not None
            reader = cast(BinaryIO, self._path.open("rb", buffering=0))
        reader.seek(start)
        return reader

    def blocks(self) -> Iterator[bytes]:
        with self.open() as reader:
            while block := reader.read(_BLOCK):
                yield block

    def bytes(self) -> bytes:
        return b"".join(self.blocks())

    @property
    def quick_xor_hash(self) -> str:
        """Base64, or empty for contents that are empty or very large."""
        if self._hash is None:
            with _hashing if self._data is None else nullcontext():
                self._hash = quick_xor(self.blocks()) if 0 < self.size <= HASHED else ""
        return self._hash

    def hashed(self) -> Blob:
        """Itself, its hash computed now: who asks for it first may have the drive's lock."""
        assert self.quick_xor_hash is not None
        return self

    def discard(self) -> None:
        """Free the file. Readers that are open go on reading."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


class Draft:
    """A content that is still being uploaded: written in order, and thrown away or turned into a `Blob`.

    Blocks of zeros are left out of the file: they read the same, and 64 GiB of a benchmark take no room on disk.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.size = size
        self._data: bytearray | None = bytearray() if size <= IN_MEMORY else None
        self._path: Path | None = None
        self._file: BinaryIO | None = None
        self._written = 0
        if self._data is None:
            self._file = cast(BinaryIO, tempfile.NamedTemporaryFile(dir=folder, delete=False, buffering=0))  # noqa: SIM115 - it lives as long as the upload
            self._path = Path(self._file.name)

    def write(self, position: int, data: bytes) -> None:
        if self._data is not None:
            self._data[position : position + len(data)] = data
        else:
            assert self._file is not None
            # a fragment that was cut is written again over what had come of it
            if position < self._written or data != (_ZEROS if len(data) == _BLOCK else bytes(len(data))):
                self._file.seek(position)
                self._file.write(data)
            self._written = max(self._written, position + len(data))

    def finish(self, size: int) -> Blob:
        """The blob of the first `size` bytes."""
        if self._data is not None:
            return Blob(bytes(self._data[:size]), None, size).hashed()
        assert self._file is not None
        self._file.truncate(size)
        self._file.close()
        return Blob(None, self._path, size).hashed()

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
