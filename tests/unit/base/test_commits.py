"""The header by which a commit is noticed, and the locks that looking at it must not cost."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from davbridge.store import commits
from davbridge.store.database import Database

SCHEMA = ("CREATE TABLE IF NOT EXISTS things (name TEXT) STRICT",)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "state.sqlite"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """A file with one table."""
    database = Database.open(path, SCHEMA)
    yield database
    database.close()


def add(database: Database, name: str = "x") -> None:
    """One commit."""
    with database.transaction() as transaction:
        transaction.execute("INSERT INTO things VALUES (?)", (name,))


def descriptors(path: Path) -> int:
    """How often this process has the shared memory's file open."""
    links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return sum(os.path.exists(link) and os.readlink(link).startswith(f"{path}-shm") for link in links)


def test_the_header_is_looked_at(database: Database, path: Path) -> None:
    """Here, where there is one, no statement is needed to learn that nobody has committed."""
    looked = commits.Commits(path, 1)
    seen = [looked.header(), looked.header()]
    assert seen[0] is not None
    assert seen[0] == seen[1]
    for _ in range(3):
        add(database)
        seen.append(looked.header())
    with database.transaction():  # nothing is written
        pass
    assert looked.header() == seen[-1]
    assert len(set(seen)) == 4
    looked.close()


@pytest.mark.parametrize("mode", ["PASSIVE", "RESTART", "TRUNCATE"])
def test_a_log_that_begins_anew_is_another_version(database: Database, path: Path, mode: str) -> None:
    """The first commit after a checkpoint changes the header as every other does."""
    seen = [database.version()]
    for _ in range(3):
        add(database)
        seen.append(database.version())
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(f"PRAGMA wal_checkpoint({mode})")
        connection.close()
        add(database)
        seen.append(database.version())
    assert len(set(seen)) == 7


def test_the_version_follows_the_pragma(database: Database, path: Path) -> None:
    """Whenever SQLite itself says that there is something new, the header does, too."""
    looked, other = commits.Commits(path, 1), Database(path)
    for step in range(30):
        before = looked.header(), looked.data_version()
        if step % 3:
            add(database if step % 2 else other)
        after = looked.header(), looked.data_version()
        assert (before[0] != after[0]) == (before[1] != after[1]) == bool(step % 3)
    looked.close()
    other.close()


def test_without_a_header_the_pragma_is_asked(database: Database, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a format that is not known nothing is believed."""
    monkeypatch.setattr(commits, "_FORMAT", b"none")
    seen = [database.version(), database.version()]
    add(database)
    seen.append(database.version())
    assert seen[0] == seen[1] != seen[2]
    assert isinstance(seen[2][1], int)


def _try_to_write(path: Path) -> None:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")


def test_locks_survive_the_end_of_the_looking(database: Database, path: Path) -> None:
    """Closing the shared memory's file would let another process write into a transaction of ours."""
    database.version()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    database.close()
    database.version()
    database.reopen()
    database.version()
    process = multiprocessing.get_context("spawn").Process(target=_try_to_write, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 1
    connection.execute("COMMIT")
    connection.close()
    process = multiprocessing.get_context("spawn").Process(target=_try_to_write, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 0


def test_files_go_with_the_database(tmp_path: Path) -> None:
    """What was kept for the locks' sake is closed when nobody can have any."""
    path = tmp_path / "other.sqlite"
    database = Database.open(path, SCHEMA)
    for _ in range(3):
        database.version()
        database.reopen()
    assert descriptors(path) > 0
    database.close()
    del database
    gc.collect()
    assert descriptors(path) == 0


def test_a_database_that_is_replaced_again_and_again(tmp_path: Path) -> None:
    """The files of those that are gone are let go, so that they do not add up."""
    path = tmp_path / "other.sqlite"
    database = Database.open(path, SCHEMA)
    database.version()
    few = descriptors(path)
    for _ in range(5):
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        database.reopen()
        with database.transaction() as transaction:
            transaction.execute(SCHEMA[0])
        database.version()
        assert descriptors(path) <= few + 1
    database.close()
