"""Whether anybody has committed to a SQLite file, in whatever process: told by the page in which SQLite keeps it.

`PRAGMA data_version` answers that, too. It takes two locks and runs a statement for it, which is 10 µs where a small
answer takes 100, and every request asks for two files. What it compares is the header of the wal-index, the first 48
bytes of the file `-shm`: a commit is visible from the moment on at which they change (https://sqlite.org/walformat.html
§2.1, and `walIndexTryHdr` in SQLite's wal.c). Here they are compared in the same shared memory.

Two rules make that safe:

* The connection stays open while the header is looked at. Without any, SQLite removes the file `-shm`, and whoever
  opens the database next makes another, of which we would hear nothing.
* The file is not closed while this process may have the database open: when a process closes a file, POSIX drops all
  locks that it has on it, SQLite's own included (https://sqlite.org/howtocorrupt.html §2.2). So it goes when the
  `Commits` goes, and who owns one keeps it as long as its connections.

Where there is no such header (a file system without shared memory, another SQLite), the pragma is asked.
"""

from __future__ import annotations

import mmap
import os
import sqlite3
import sys
import weakref
from contextlib import suppress
from pathlib import Path

_HEADER = 48
_FORMAT = (3007000).to_bytes(4, sys.byteorder)
_INITIALISED = 12
"""The byte that is 1 in a header that is whole."""


class Commits:
    """Thread-safe but for `close`; the pragma is asked under the caller's lock.

    Raises:
        sqlite3.DatabaseError: the file cannot be opened.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        before = _inode(path)
        # data_version tells of the commits of other connections only, so this one never writes
        self._cursor = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False).cursor()
        try:
            self.data_version()  # opens what SQLite opens late
            self._shared = _Shared.open(Path(f"{path}-shm"))
            self._is_of_connection = _inode(path) == before  # or it was replaced meanwhile
        except BaseException:
            self.close()
            raise

    def header(self) -> bytes | None:
        """Other bytes after every commit; None where there are none."""
        if self._shared is None or not self._is_of_connection:
            return None
        header = self._shared.memory[:_HEADER]
        return header if header[:4] == _FORMAT and header[_INITIALISED] else None

    def data_version(self) -> int:
        """Another number after every commit. Raises: sqlite3.DatabaseError."""
        return int(self._cursor.execute("PRAGMA data_version").fetchall()[0][0])

    def close(self) -> None:
        """Close the connection, but not the file. From then on the header tells nothing."""
        self._cursor.connection.close()

    @property
    def is_over(self) -> bool:
        """Whether the file has been deleted, so that nobody's locks on it matter any more."""
        return self._shared is None or self._shared.is_deleted


class _Shared:
    """The file's beginning in memory, for as long as this object lives."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor).atexit = False
        self.memory: mmap.mmap | bytes = b""
        with suppress(OSError, ValueError):  # ValueError: there is less in it
            self.memory = mmap.mmap(descriptor, _HEADER, prot=mmap.PROT_READ)

    @classmethod
    def open(cls, path: Path) -> _Shared | None:
        try:
            return cls(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            return None

    @property
    def is_deleted(self) -> bool:
        return os.fstat(self._descriptor).st_nlink == 0


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1
