"""Blocks of contents in files, one a block, and an index of them in SQLite that holds their sizes within a bound.

A block is found by its file's name, without the index: a hit reads one file, and notes its use as the file's time. It
is written beside its place and renamed into it, with a checksum, so that a torn one (`kill -9`, a power cut, a full
disk) is no block. Everything in the folder may be lost at any time (law 5): whatever goes wrong, Microsoft is asked.

It knows nothing of drives, items and rights: whoever asks has made sure of the version, and that it may be read.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import struct
import threading
import uuid
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from davbridge.clock import Clock
from davbridge.errors import BridgeError, ConfigError
from davbridge.store.database import Database, Transaction

log = logging.getLogger(__name__)

BLOCK = 256 << 10
"""Bytes of a block; the last one of a content is shorter."""
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS versions (
        version TEXT PRIMARY KEY, etag TEXT NOT NULL, total INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS blocks (
        version TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, used REAL NOT NULL,
        PRIMARY KEY (version, number)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS by_use ON blocks (used)",
    "CREATE TABLE IF NOT EXISTS usage (id INTEGER PRIMARY KEY CHECK (id = 1), bytes INTEGER NOT NULL) STRICT",
    "INSERT OR IGNORE INTO usage VALUES (1, 0)",
)
_HEAD = struct.Struct("<4sI")
_MAGIC = b"dvb1"
_FULL_SECONDS = 60.0
"""How long nothing is kept after the disk refused a block."""
_DRAFTS = 256
"""The part of the bound that a process may have on disk for uploads under way: of 32 workers it is an eighth."""
_LEFT_SECONDS = 600.0
"""Age of a half-written file that nobody is writing any more."""


@dataclass(frozen=True)
class Entry:
    """A version of which something is kept. `etag`: under which eTag it was last seen; `total`: its size in bytes."""

    etag: str
    total: int


@dataclass(frozen=True)
class Written:
    """A block that is on disk and not in its place yet."""

    number: int
    path: Path
    size: int


class ContentCache:
    """One policy's folder, shared by threads and processes. No method raises for what the disk does."""

    def __init__(self, folder: Path, limit: int, clock: Clock, index: Database) -> None:
        self._folder = folder
        self._limit = limit
        self._clock = clock
        self._index = index
        self._off_until = 0.0
        self._lock = threading.Lock()
        self._promised = 0

    @classmethod
    def open(cls, folder: Path, limit: int, clock: Clock) -> ContentCache:
        """Open the folder, or begin with an empty one; `limit` in bytes.

        Raises:
            ConfigError: there can be no such folder.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _alone(folder):
                try:
                    index = Database.open(folder / "index.sqlite", _SCHEMA, durable=False)
                except ConfigError:
                    log.warning("the content cache in %s was damaged, and is empty now", folder)
                    _empty(folder)
                    index = Database.open(folder / "index.sqlite", _SCHEMA, durable=False)
                (folder / "new").mkdir(mode=0o700, exist_ok=True)
                cache = cls(folder, limit, clock, index)
                cache._clear_away()
        except OSError as error:
            raise ConfigError(f"the content cache {folder} cannot be used: {error.strerror}") from None
        return cache

    def close(self) -> None:
        """The calling thread's part of it."""
        self._index.close()

    @property
    def used(self) -> int:
        """Bytes that are kept."""
        try:
            return int(self._index.read("SELECT bytes FROM usage")[0][0])
        except BridgeError:
            return 0

    def entry(self, version: str) -> Entry | None:
        """What is known of a version, if any of it is kept."""
        try:
            rows = self._index.read("SELECT etag, total FROM versions WHERE version = ?", (version,))
        except BridgeError:
            return None
        return Entry(rows[0]["etag"], rows[0]["total"]) if rows else None

    def confirm(self, version: str, etag: str) -> None:
        """The version is the current one of an item that has another eTag now."""
        with suppress(BridgeError), self._index.transaction() as transaction:
            transaction.execute("UPDATE versions SET etag = ? WHERE version = ?", (etag, version))

    def read(self, version: str, number: int) -> bytes | None:
        """A block, if it is kept whole."""
        path = self._place(version, number)
        try:
            with path.open("rb", buffering=0) as file:
                raw = file.read(BLOCK + _HEAD.size + 1)
            now = self._clock.now().timestamp()
            os.utime(path, (now, now))
        except OSError:
            return None
        if len(raw) <= _HEAD.size or len(raw) > BLOCK + _HEAD.size:
            return None
        magic, checksum = _HEAD.unpack_from(raw)
        data = raw[_HEAD.size :]
        return data if (magic, checksum) == (_MAGIC, zlib.crc32(data)) else None

    def write(self, number: int, data: bytes) -> Written | None:
        """Put a block on disk, where nobody finds it yet. None: the disk does not take it."""
        if self._clock.monotonic() < self._off_until:
            return None
        path = self._folder / "new" / uuid.uuid4().hex
        try:
            with path.open("wb", buffering=0) as file:
                file.write(_HEAD.pack(_MAGIC, zlib.crc32(data)))
                file.write(data)
        except OSError as error:
            self._refused(error)
            path.unlink(missing_ok=True)
            return None
        return Written(number, path, len(data) + _HEAD.size)

    def keep(self, version: str, entry: Entry, blocks: Sequence[Written]) -> None:
        """Let blocks of a version be found, and forget what was not used for the longest time to make room."""
        try:
            with self._index.transaction() as transaction:
                transaction.execute(
                    "INSERT OR IGNORE INTO versions VALUES (?, ?, ?)", (version, entry.etag, entry.total)
                )
                for block in blocks:
                    self._place_block(transaction, version, block)
                self._make_room(transaction)
        except (OSError, BridgeError) as error:
            self._refused(error)
            self.discard(blocks)

    def promise(self, size: int) -> bool:
        """Whether there is room for an upload of `size` bytes, of which the index knows nothing yet."""
        with self._lock:
            if self._promised + size > self._limit // _DRAFTS:
                return False
            self._promised += size
            return True

    def give_back(self, size: int) -> None:
        """The upload is over."""
        with self._lock:
            self._promised -= size

    def discard(self, blocks: Sequence[Written]) -> None:
        """Blocks that nobody wants."""
        for block in blocks:
            with suppress(OSError):
                block.path.unlink(missing_ok=True)

    def _place_block(self, transaction: Transaction, version: str, block: Written) -> None:
        now = self._clock.now().timestamp()
        place = self._place(version, block.number)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.utime(block.path, (now, now))
        except FileNotFoundError:
            return  # it took so long that another process has cleared it away
        os.replace(block.path, place)
        old = transaction.execute(
            "SELECT size FROM blocks WHERE version = ? AND number = ?", (version, block.number)
        ).fetchone()
        transaction.execute(
            "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?)", (version, block.number, block.size, now)
        )
        transaction.execute("UPDATE usage SET bytes = bytes + ?", (block.size - (old["size"] if old else 0),))

    def _make_room(self, transaction: Transaction) -> None:
        used = int(transaction.execute("SELECT bytes FROM usage").fetchone()[0])
        while used > self._limit - self._limit // 8:
            row = transaction.execute("SELECT version, number, size, used FROM blocks ORDER BY used LIMIT 1").fetchone()
            if row is None:
                break
            key = (row["version"], row["number"])
            place = self._place(*key)
            with suppress(OSError):
                if (last := place.stat().st_mtime) > row["used"]:
                    # it was read since: the index hears of that only now
                    transaction.execute("UPDATE blocks SET used = ? WHERE version = ? AND number = ?", (last, *key))
                    continue
            place.unlink(missing_ok=True)
            transaction.execute("DELETE FROM blocks WHERE version = ? AND number = ?", key)
            transaction.execute(
                "DELETE FROM versions WHERE version = ?1 AND NOT EXISTS (SELECT 1 FROM blocks WHERE version = ?1)",
                key[:1],
            )
            used -= row["size"]
        transaction.execute("UPDATE usage SET bytes = ?", (used,))

    def _place(self, version: str, number: int) -> Path:
        digest = hashlib.blake2b(version.encode(), digest_size=16).hexdigest()
        return self._folder / digest[:2] / digest[2:] / f"{number}"

    def _refused(self, error: Exception) -> None:
        log.warning("the content cache keeps nothing for %.0f seconds: %s", _FULL_SECONDS, error)
        self._off_until = self._clock.monotonic() + _FULL_SECONDS

    def _clear_away(self) -> None:
        """Half-written files of processes that were killed."""
        for path in (self._folder / "new").iterdir():
            with suppress(OSError):
                if path.stat().st_mtime < self._clock.now().timestamp() - _LEFT_SECONDS:
                    path.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != ".lock":
            path.unlink()
