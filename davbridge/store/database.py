"""A small SQLite file shared by threads and processes: WAL, one write transaction at a time, short waits.

Owners of tables (locks, dead properties, side files) hand in their schema and speak SQL through `read` and
`transaction`; they never import `sqlite3`. A check followed by a change belongs into one `transaction()`, which is
`BEGIN IMMEDIATE`: the write lock is taken before the check, so two processes can never both find the place free.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from davbridge.errors import BridgeError, Busy, ConfigError, QuotaExceeded
from davbridge.store.commits import Commits
from davbridge.waiting import about_to_wait, end_moment, moment, waited

Row = sqlite3.Row
Transaction = sqlite3.Connection
BUSY_SECONDS = 5.0
_LONG_BUSY_SECONDS = 30.0
"""For data that may be lost, which comes in large transactions."""
_BLOCK = 512
_GONE = ("readonly", "disk I/O", "unable to open", "no such table", "no such column", "malformed")


class Damaged(Busy):
    """The file is no database any more, or is not where it was. Whoever comes again finds another."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 1.0)


class Database:
    """One SQLite file. Connections are per thread; all methods may be called from any thread."""

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._path = path
        self._durable = durable
        self._local = threading.local()
        self._commits: tuple[int, Commits] | None = None
        self._former: list[Commits] = []
        """Not looked at any more, and kept for their files: see `commits`."""
        self._watching = threading.Lock()
        self._writing = threading.Lock()
        self._generation = 0
        self._inode = 0

    @classmethod
    def open(cls, path: Path, schema: Sequence[str], *, durable: bool = True) -> Database:
        """Open or create the file (mode 0600) and run the `schema` statements (`CREATE … IF NOT EXISTS`).

        `durable` false trades the fsync of each transaction for speed: for data that may be lost (law 5).

        Raises:
            ConfigError: the file cannot be opened, or is not a database.
        """
        database = cls(path, durable=durable)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            with _alone(path.parent), database.transaction() as transaction:
                for statement in schema:
                    transaction.execute(statement)
        except (OSError, sqlite3.Error, BridgeError) as error:
            raise ConfigError(f"the state file {path} cannot be used: {error}") from error
        return database

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None and self._local.generation != self._generation:
            connection.close()
            connection = None
        if connection is None:
            generation = self._generation
            inode = _inode(self._path)
            connection = self._connect()
            if inode not in (-1, _inode(self._path)):
                connection.close()
                raise Damaged("the file was replaced while it was opened")
            self._local.connection, self._local.generation = connection, generation
            self._inode = self._inode or _inode(self._path)
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=self._patience, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            if not self._durable:
                # large, read at random and by many threads: pages from the system's cache, and a small one a thread;
                # not by mmap, since a file that is truncated under it kills the process (SIGBUS)
                connection.execute("PRAGMA mmap_size = 0")
                connection.execute("PRAGMA cache_size = -2000")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of one SELECT, from a consistent snapshot."""
        with _translated():
            return self._connection().execute(sql, parameters).fetchall()

    def version(self) -> tuple[int, object]:
        """A value that changes with every commit to the file, by any thread of any process.

        Copies in memory are good while it stands still: ask for the version first and read the rows after it, since a
        commit in between then makes the copy look older than it is, never newer. It is this process's own.

        Asked once for all requests of one moment (`davbridge.waiting`).
        """
        now = moment()
        seen: tuple[object, tuple[int, object]] | None = getattr(self._local, "seen", None)
        if now is not None and seen is not None and seen[0] is now:
            return seen[1]
        version = self._version()
        self._local.seen = (now, version)
        return version

    def _version(self) -> tuple[int, object]:
        try:
            known = self._commits
            if known is None or known[0] != self._generation:
                known = self._watch()
            generation, commits = known
            header = commits.header()
            if header is not None:
                return generation, header
            with self._watching:
                return generation, commits.data_version()
        except sqlite3.DatabaseError as error:
            raise Busy("the bridge's state file is busy", 1.0) from error

    def _watch(self) -> tuple[int, Commits]:
        with self._watching:
            if self._commits is None or self._commits[0] != self._generation:
                self._unwatch()
                self._commits = self._generation, Commits(self._path, BUSY_SECONDS)
            return self._commits

    def _unwatch(self) -> None:
        if self._commits is not None:
            (_, commits), self._commits = self._commits, None
            commits.close()
            self._former = [one for one in (*self._former, commits) if not one.is_over]

    def stream(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """The rows of one SELECT as they are read, from a consistent snapshot. To be closed, or read to its end.

        On a connection of its own: one that reads an old snapshot cannot write, and who reads the rows may want to.
        """
        with _translated():
            generation, whole = self._generation, False
            connection = self._reader()
            try:
                cursor = connection.execute(sql, parameters)
                while rows := cursor.fetchmany(_BLOCK):
                    yield from rows
                whole = generation == self._generation and not hasattr(self._local, "reader")
            finally:
                if whole:
                    self._local.reader = (generation, connection)
                else:
                    connection.close()

    def _reader(self) -> sqlite3.Connection:
        """A connection for a stream: the thread's last one, unless the file was opened anew since."""
        kept: tuple[int, sqlite3.Connection] | None = self._local.__dict__.pop("reader", None)
        if kept is None:
            return self._connect()
        if kept[0] == self._generation:
            return kept[1]
        kept[1].close()
        return self._connect()

    def is_elsewhere(self) -> bool:
        """True when the file that is open is not the one at its path: it was deleted, or replaced."""
        return self._inode != 0 and _inode(self._path) != self._inode

    def is_torn(self) -> bool:
        """True when the calling thread has the file open and its write-ahead log was deleted."""
        is_open = getattr(self._local, "connection", None) is not None and self._local.generation == self._generation
        return is_open and _inode(Path(f"{self._path}-wal")) == -1

    @property
    def generation(self) -> int:
        """How often the file was opened anew."""
        return self._generation

    def reopen(self) -> None:
        """Let every thread open the file at the path anew."""
        self._inode = 0
        self._generation += 1

    @contextmanager
    def transaction(self, patience: float | None = None) -> Iterator[Transaction]:
        """A write transaction: committed at the end of the block, rolled back when it raises.

        Raises:
            Busy: others held the write lock for longer than `patience` seconds, or else for longer than usual.
            QuotaExceeded: the disk is full.
        """
        with self._turn(patience), _translated():
            connection = self._connection()
            self._begin(connection, patience)
            # what others committed while we waited for the lock must be seen in here, and what we commit, afterwards
            end_moment()
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself after some errors, a full disk for one
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _begin(self, connection: sqlite3.Connection, patience: float | None) -> None:
        if patience is None:
            connection.execute("BEGIN IMMEDIATE")
            return
        connection.execute(f"PRAGMA busy_timeout = {patience * 1000:.0f}")
        try:
            connection.execute("BEGIN IMMEDIATE")
        finally:
            connection.execute(f"PRAGMA busy_timeout = {self._patience * 1000:.0f}")

    @property
    def _patience(self) -> float:
        return BUSY_SECONDS if self._durable else _LONG_BUSY_SECONDS

    @contextmanager
    def _turn(self, patience: float | None) -> Iterator[None]:
        """One thread of the process at a time asks SQLite for the write lock.

        SQLite has those who wait for it look again after up to 0.1 s: of thirty threads some are overtaken until they
        give up, while nobody writes.
        """
        if not self._writing.acquire(blocking=False):
            about_to_wait()
            if not self._writing.acquire(timeout=self._patience if patience is None else patience):
                raise Busy("the bridge's state file is busy", 1.0)
            waited()
        try:
            yield
        finally:
            self._writing.release()

    def close(self) -> None:
        """Close the calling thread's connection and the watcher; others close with their threads."""
        with self._watching:
            self._unwatch()
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            del self._local.connection
        reader: tuple[int, sqlite3.Connection] | None = self._local.__dict__.pop("reader", None)
        if reader is not None:
            reader[1].close()


@contextmanager
def scratch(schema: Sequence[str]) -> Iterator[Transaction]:
    """An empty database in memory, which is gone with the block."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        for statement in schema:
            connection.execute(statement)
        yield connection
    finally:
        connection.close()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time: of several that turn a new file to WAL at once, SQLite refuses all but one, unwaited."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" in str(error):
            raise QuotaExceeded("the disk that holds the bridge's state is full") from error
        if any(word in str(error) for word in _GONE):
            raise Damaged(str(error)) from error
        raise Busy("the bridge's state file is busy", 1.0) from error
    except sqlite3.DatabaseError as error:
        raise Damaged(str(error)) from error


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1
