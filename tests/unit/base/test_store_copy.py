"""The state file's version, and what is kept in memory under it."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from davbridge.store.copy import Copy
from davbridge.store.database import Database
from davbridge.waiting import about_to_wait, begin_moment, end_moment

SCHEMA = ("CREATE TABLE IF NOT EXISTS things (name TEXT) STRICT",)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A file with one table."""
    database = Database.open(tmp_path / "state.sqlite", SCHEMA)
    yield database
    database.close()


def add(database: Database, name: str = "x") -> None:
    """One commit."""
    with database.transaction() as transaction:
        transaction.execute("INSERT INTO things VALUES (?)", (name,))


def _add_elsewhere(path: Path) -> None:
    database = Database.open(path, SCHEMA)
    add(database)
    database.close()


def test_the_version_tells_of_every_commit(database: Database, tmp_path: Path) -> None:
    """Of this thread, of another thread, of another process; and of nothing else."""
    seen = [database.version(), database.version()]
    assert seen[0] == seen[1]
    database.read("SELECT * FROM things")
    assert database.version() == seen[1]
    add(database)
    seen.append(database.version())
    thread = threading.Thread(target=add, args=(database,))
    thread.start()
    thread.join()
    seen.append(database.version())
    process = multiprocessing.get_context("spawn").Process(target=_add_elsewhere, args=(tmp_path / "state.sqlite",))
    process.start()
    process.join()
    seen.append(database.version())
    assert len(set(seen)) == 4


def test_a_copy_is_read_once_a_version(database: Database) -> None:
    """Whatever is committed drops all answers."""
    copy, reads = Copy(database), []

    def count() -> int:
        reads.append(1)
        return len(database.read("SELECT * FROM things"))

    assert [copy.get("count", count) for _ in range(3)] == [0, 0, 0]
    assert len(reads) == 1
    add(database)
    assert copy.get("count", count) == 1
    assert copy.get("other", count) == 1
    assert len(reads) == 3


def test_a_copy_holds_so_many_answers(database: Database) -> None:
    """And starts anew with the next."""
    copy = Copy(database, most=3)
    assert [copy.get(number, lambda n=number: n) for number in range(10)] == list(range(10))
    assert len(copy._state[1]) <= 3


def test_a_rolled_back_transaction_changes_nothing(database: Database) -> None:
    """The version stands, and so do the answers."""
    before = database.version()

    def fail() -> None:
        with database.transaction() as transaction:
            transaction.execute("INSERT INTO things VALUES ('x')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert database.version() == before


@pytest.fixture
def in_a_moment(database: Database) -> Iterator[None]:
    """All that the test does is asked for at once."""
    begin_moment()
    yield
    end_moment()


@pytest.mark.usefixtures("in_a_moment")
def test_a_moment_has_one_version(database: Database) -> None:
    """What others change meanwhile is told after a wait, or to the next moment's requests."""
    versions = [database.version()]

    def elsewhere() -> None:
        thread = threading.Thread(target=add, args=(database,))
        thread.start()
        thread.join()

    elsewhere()
    assert database.version() == versions[-1]
    about_to_wait()
    versions.append(database.version())
    begin_moment()
    assert database.version() == versions[-1]
    elsewhere()
    assert database.version() == versions[-1]
    begin_moment()
    versions.append(database.version())
    assert len(set(versions)) == 3


@pytest.mark.usefixtures("in_a_moment")
def test_a_change_of_ones_own_ends_the_moment(database: Database) -> None:
    """Who has written reads what it wrote."""
    before = database.version()
    add(database)
    assert database.version() != before


@pytest.mark.usefixtures("in_a_moment")
def test_a_transaction_sees_what_came_before_it(database: Database) -> None:
    """Who waited for the write lock decides by what the one before has committed, not by what was true on arrival."""
    before = database.version()
    thread = threading.Thread(target=add, args=(database,))
    thread.start()
    thread.join()
    with database.transaction():
        assert database.version() != before
