"""The journal: what a process that died has left, and nothing of one that lives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from davbridge.redact import Secret
from davbridge.store.database import Database
from davbridge.store.journal import Entry, JournalFile, NoJournal, OpenSession, SetAside

URL = Secret("https://upload.example/secret-of-the-url")
SESSION = OpenSession(URL, "b!d", "root", ("Folder", "näme.bin"), 5, 1.0)
ASIDE = SetAside("b!d", "p", "i", "target", "davbridge-replaced-1", "b!d", "s", "move")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """A state file with the journal's table."""
    return Database.open(tmp_path / "state.sqlite", JournalFile.SCHEMA)


def journal(database: Database, tmp_path: Path) -> JournalFile:
    """The journal as another process would open it."""
    return JournalFile(database, tmp_path / "journal")


def die(one: JournalFile) -> None:
    """As the kernel does it: the lock goes, nothing else."""
    assert one._mine is not None
    os.close(one._mine[1])


def test_what_the_dead_have_left(database: Database, tmp_path: Path) -> None:
    """All entries of a process that has died, as they were written; those of a living one are its own business."""
    dead, alive, finder = (journal(database, tmp_path) for _ in range(3))
    first = dead.of("me", "contoso").begin(SESSION)
    second = dead.of("team", "other").begin(ASIDE)
    alive.of("me", "contoso").begin(SESSION)
    assert list(finder.left()) == []
    die(dead)
    assert list(finder.left()) == [Entry(first, "me", "contoso", SESSION), Entry(second, "team", "other", ASIDE)]
    finder.end(first)
    assert [entry.number for entry in finder.left()] == [second]
    finder.end(second)
    assert list(finder.left()) == []
    alive.close()


def test_what_is_left_to_others(database: Database, tmp_path: Path) -> None:
    """What a living process could not end is anybody's, at once; its other work stays its own."""
    one = journal(database, tmp_path)
    mine = one.of("me", "contoso")
    left, kept = mine.begin(SESSION), mine.begin(SESSION)
    mine.leave(left)
    assert [entry.number for entry in one.left()] == [left]
    mine.end(kept)
    one.close()
    assert list((tmp_path / "journal").iterdir()) == [], "a process that ends takes its lock file with it"


def test_it_is_secret(database: Database, tmp_path: Path) -> None:
    """Nobody but the owner can read the file, and no URL is in what can be printed."""
    one = journal(database, tmp_path)
    one.of("me", "contoso").begin(SESSION)
    (tmp_path / "state.sqlite").stat()
    for path in (*tmp_path.glob("state.sqlite*"), *(tmp_path / "journal").iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path.name
    die(one)
    assert "secret-of-the-url" not in repr(list(journal(database, tmp_path).left()))


def test_lock_files_of_the_dead_go(database: Database, tmp_path: Path) -> None:
    """Each killed process leaves a lock file; whoever looks removes it, and never that of one that lives."""
    dead, alive = journal(database, tmp_path), journal(database, tmp_path)
    for one in (dead, alive):
        one.of("me", "contoso").begin(SESSION)
    die(dead)
    finder = journal(database, tmp_path)
    for entry in list(finder.left()):
        finder.end(entry.number)
    assert len(list((tmp_path / "journal").iterdir())) == 1
    assert list(finder.left()) == []
    alive.close()


def test_no_journal() -> None:
    """A driver without one goes on all the same."""
    none = NoJournal()
    number = none.begin(SESSION)
    none.leave(number)
    none.end(number)


def test_entries_of_another_version(database: Database, tmp_path: Path) -> None:
    """They are left alone, and hide no others."""
    one = journal(database, tmp_path)
    mine = one.of("me", "contoso")
    first, second = mine.begin(ASIDE), mine.begin(ASIDE)
    with database.transaction() as transaction:
        transaction.execute("UPDATE journal SET kind = 'Other', work = '{\"what\": 1}' WHERE number = ?", (first,))
    die(one)
    assert [entry.number for entry in journal(database, tmp_path).left()] == [second]
