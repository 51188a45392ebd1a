"""Which files were made here a moment ago: what tells a safe-save from an ordinary rename.

An editor that saves safely writes a temporary file and moves it over the original. Only the bridge that received the
temporary file knows that it is one, and another of its processes may get the MOVE; so the table is in the state file.
"""

from __future__ import annotations

from typing import Protocol

from davbridge.clock import Clock
from davbridge.store.database import Database

FRESH_SECONDS = 600.0


class Uploads(Protocol):
    """Item ids of files that a PUT created here, for ten minutes."""

    def record(self, item_id: str) -> None:
        """A PUT has just made this item."""

    def is_fresh(self, item_id: str) -> bool:
        """True when a PUT made it here less than `FRESH_SECONDS` ago."""

    def forget(self, item_id: str) -> None:
        """The item is gone."""


class UploadsTable:
    """`Uploads` in the state file, shared by processes. Open the database with `SCHEMA` among its statements."""

    SCHEMA = (
        "CREATE TABLE IF NOT EXISTS uploads (item_id TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID",
        "CREATE INDEX IF NOT EXISTS uploads_at ON uploads (at)",
    )

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def record(self, item_id: str) -> None:
        now = self._clock.now().timestamp()
        with self._database.transaction() as transaction:
            transaction.execute("DELETE FROM uploads WHERE at < ?", (now - FRESH_SECONDS,))
            transaction.execute("INSERT OR REPLACE INTO uploads VALUES (?, ?)", (item_id, now))

    def is_fresh(self, item_id: str) -> bool:
        since = self._clock.now().timestamp() - FRESH_SECONDS
        return bool(self._database.read("SELECT 1 FROM uploads WHERE item_id = ? AND at > ?", (item_id, since)))

    def forget(self, item_id: str) -> None:
        with self._database.transaction() as transaction:
            transaction.execute("DELETE FROM uploads WHERE item_id = ?", (item_id,))


class MemoryUploads:
    """`Uploads` of one process, for `demo` and tests."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, float] = {}

    def record(self, item_id: str) -> None:
        now = self._clock.monotonic()
        self._known = {known: at for known, at in list(self._known.items()) if now - at < FRESH_SECONDS}
        self._known[item_id] = now

    def is_fresh(self, item_id: str) -> bool:
        return self._clock.monotonic() - self._known.get(item_id, float("-inf")) < FRESH_SECONDS

    def forget(self, item_id: str) -> None:
        self._known.pop(item_id, None)
