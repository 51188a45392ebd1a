"""The page's own file, `page.sqlite` in the state folder: what the workers tell each other for it.

Why not in the state file: every request asks that one whether it has changed, and each commit costs an fsync; here a
row changes each second while transfers run. All of it may be lost (law 5): people sign in to the page again.
"""

from __future__ import annotations

from pathlib import Path

from davbridge.errors import ConfigError
from davbridge.store.database import Damaged, Database

NAME = "page.sqlite"
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS sessions (
        digest BLOB PRIMARY KEY, user TEXT NOT NULL, proof BLOB NOT NULL, began REAL NOT NULL, used REAL NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS sign_ins (
        account TEXT PRIMARY KEY, id TEXT NOT NULL, state TEXT NOT NULL, by TEXT NOT NULL, began REAL NOT NULL,
        beat REAL NOT NULL, redirect_uri TEXT NOT NULL DEFAULT '', link TEXT NOT NULL DEFAULT '',
        code TEXT NOT NULL DEFAULT '', ends REAL NOT NULL DEFAULT 0, answer TEXT NOT NULL DEFAULT '',
        message TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS transfers (
        process TEXT, number INTEGER, beat REAL NOT NULL, user TEXT NOT NULL, upload INTEGER NOT NULL,
        path TEXT NOT NULL, done INTEGER NOT NULL, total INTEGER, rate REAL NOT NULL, since REAL NOT NULL,
        PRIMARY KEY (process, number)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS troubles (
        message TEXT PRIMARY KEY, serious INTEGER NOT NULL, count INTEGER NOT NULL, first REAL NOT NULL,
        last REAL NOT NULL
    ) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS findings (name TEXT PRIMARY KEY, at REAL NOT NULL, value TEXT NOT NULL) WITHOUT ROWID",
)


def open_file(folder: Path) -> Database:
    """The file, a new one if it is damaged. Raises: ConfigError."""
    try:
        return Database.open(folder / NAME, SCHEMA, durable=False)
    except ConfigError:
        _remove(folder)
        return Database.open(folder / NAME, SCHEMA, durable=False)


def mend(database: Database, folder: Path) -> None:
    """Go on with the file that is there now, or with a new one. Raises what `Database` raises."""
    try:
        _prepare(database)
    except Damaged:
        _remove(folder)
        _prepare(database)


def _prepare(database: Database) -> None:
    database.reopen()
    with database.transaction() as transaction:
        for statement in SCHEMA:
            transaction.execute(statement)


def _remove(folder: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        (folder / f"{NAME}{ending}").unlink(missing_ok=True)
