"""A small SQLite file shared by threads and processes: WAL, one write transaction at a time, short waits.

Owners of tables (locks, dead properties, side files) hand in their schema and speak SQL through `read` and
`transaction`; they never import `sqlite3`. A check followed by a change belongs into one `transaction()`, which is
`BEGIN IMMEDIATE`: the write lock is taken before the check, so two processes can never both find the place free.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from davbridge.errors import BridgeError, Busy, ConfigError, QuotaExceeded

Row = sqlite3.Row
Transaction = sqlite3.Connection
BUSY_SECONDS = 5.0


class Database:
    """One SQLite file. Connections are per thread; all methods may be called from any thread."""

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._path = path
        self._durable = durable
        self._local = threading.local()
        self._watcher: sqlite3.Cursor | None = None
        self._watching = threading.Lock()

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
            with database.transaction() as transaction:
                for statement in schema:
                    transaction.execute(statement)
        except (OSError, sqlite3.Error, BridgeError) as error:
            raise ConfigError(f"the state file {path} cannot be used: {error}") from error
        return database

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
            self._local.connection = connection
        return connection

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of one SELECT, from a consistent snapshot."""
        with _translated():
            return self._connection().execute(sql, parameters).fetchall()

    def version(self) -> int:
        """A number that changes with every commit to the file, by any thread of any process.

        Copies in memory are good while it stands still: ask for the version first and read the rows after it, since a
        commit in between then makes the copy look older than it is, never newer. The number is this process's own.
        """
        try:
            with self._watching:
                if self._watcher is None:
                    # data_version tells of the commits of other connections only, so this one never writes
                    self._watcher = sqlite3.connect(
                        self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
                    ).cursor()
                version: int = self._watcher.execute("PRAGMA data_version").fetchall()[0][0]
                return version
        except sqlite3.OperationalError as error:
            raise Busy("the bridge's state file is busy", 1.0) from error

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A write transaction: committed at the end of the block, rolled back when it raises.

        Raises:
            Busy: another process held the write lock for longer than `BUSY_SECONDS`.
            QuotaExceeded: the disk is full.
        """
        with _translated():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close the calling thread's connection and the watcher; others close with their threads."""
        with self._watching:
            if self._watcher is not None:
                self._watcher.connection.close()
                self._watcher = None
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            del self._local.connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" in str(error):
            raise QuotaExceeded("the disk that holds the bridge's state is full") from error
        raise Busy("the bridge's state file is busy", 1.0) from error
