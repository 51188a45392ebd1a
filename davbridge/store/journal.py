"""The journal: work at Microsoft that must not be left half done when this process dies (facts/faults.md F41, F24).

An entry is on the disk before the work that it tells of is begun, and goes when its outcome is known. Each process
holds a lock file while it lives: the kernel lets go of it at any death, and then `left` tells what it has left behind.
It holds upload URLs, which are secrets: the state file is closed to others, and no URL is ever shown.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from davbridge.errors import Busy
from davbridge.redact import Secret
from davbridge.store.database import Database

_NOBODY = ""


@dataclass(frozen=True)
class OpenSession:
    """An upload session. The item is addressed as in `ItemRef`, with the path's names in `names`.

    `expires` in POSIX seconds, by the service's clock.
    """

    url: Secret
    drive_id: str
    item_id: str
    names: tuple[str, ...]
    size: int
    expires: float


@dataclass(frozen=True)
class SetAside:
    """An item, `name` in the folder `parent_id`, that has the name `aside` until another has taken its place.

    `source_id` on `source_drive_id` is what replaces it; `how`: move, copy, or shallow for a folder without members.
    """

    drive_id: str
    parent_id: str
    item_id: str
    name: str
    aside: str
    source_drive_id: str
    source_id: str
    how: str


Work = OpenSession | SetAside


@dataclass(frozen=True)
class Entry:
    """One line of the journal, with the policy that it is about, and that policy's account."""

    number: int
    policy: str
    account: str
    work: Work


class Journal(Protocol):
    """What one policy writes down."""

    def begin(self, work: Work) -> int:
        """Write it down, on the disk; the number is for `end` and `leave`.

        Raises: Busy, QuotaExceeded: it could not be written, so the work must not be begun.
        """

    def end(self, number: int) -> None:
        """Its outcome is known."""

    def leave(self, number: int) -> None:
        """It could not be brought to an end: somebody else is to look at it."""


class NoJournal:
    """For a driver that lives no longer than its test."""

    def begin(self, work: Work) -> int:
        return 0

    def end(self, number: int) -> None:
        """Nothing was written down."""

    def leave(self, number: int) -> None:
        """Nothing was written down."""


class JournalFile:
    """The journal of one process, in the state file. `folder` has a lock file for each process that wrote into it."""

    SCHEMA = (
        "CREATE TABLE IF NOT EXISTS journal (number INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL,"
        " policy TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL, work TEXT NOT NULL)",
        "CREATE INDEX IF NOT EXISTS journal_owner ON journal (owner)",
    )

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._lock = threading.Lock()
        self._mine: tuple[str, int] | None = None

    def of(self, policy: str, account: str) -> Journal:
        """The journal for one policy."""
        return _PolicyJournal(self, policy, account)

    def begin(self, policy: str, account: str, work: Work) -> int:
        owner = self._owner()
        told = json.dumps({key: _plain(value) for key, value in vars(work).items()})
        row = (owner, policy, account, type(work).__name__, told)
        with self._database.transaction() as transaction:
            sql = "INSERT INTO journal (owner, policy, account, kind, work) VALUES (?, ?, ?, ?, ?)"
            return transaction.execute(sql, row).lastrowid or 0

    def end(self, number: int) -> None:
        with self._database.transaction() as transaction:
            transaction.execute("DELETE FROM journal WHERE number = ?", (number,))

    def leave(self, number: int) -> None:
        with self._database.transaction() as transaction:
            transaction.execute("UPDATE journal SET owner = ? WHERE number = ?", (_NOBODY, number))

    def left(self) -> Iterator[Entry]:
        """What nobody who is alive works at."""
        owners = {row["owner"] for row in self._database.read("SELECT DISTINCT owner FROM journal")}
        for path in self._folder.glob("*.lock"):
            if path.stem not in owners:
                self._is_dead(path.stem)  # a file without work goes
        for owner in sorted(owners):
            if owner == _NOBODY or self._is_dead(owner):
                for row in self._database.read("SELECT * FROM journal WHERE owner = ? ORDER BY number", (owner,)):
                    try:
                        yield Entry(row["number"], row["policy"], row["account"], _work(row["kind"], row["work"]))
                    except (ValueError, TypeError, KeyError):
                        continue  # of another version of the bridge, which may come back

    def close(self) -> None:
        """This process works at nothing any more."""
        with self._lock:
            if self._mine is not None:
                owner, descriptor = self._mine
                with suppress(OSError):
                    self._file(owner).unlink()
                os.close(descriptor)
                self._mine = None

    def _owner(self) -> str:
        """Our name, whose lock file we hold from now on."""
        with self._lock:
            try:
                while self._mine is None:
                    self._mine = self._enter()
            except OSError as error:
                raise Busy(f"the bridge's state folder cannot be used: {error.strerror}") from error
            return self._mine[0]

    def _enter(self) -> tuple[str, int] | None:
        """A new name and its lock; None when it was taken for a dead process's before we had locked it."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        owner = secrets.token_hex(8)
        descriptor = os.open(self._file(owner), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if self._file(owner).exists():
            return owner, descriptor
        os.close(descriptor)
        return None

    def _is_dead(self, owner: str) -> bool:
        """Whether the process has ended. Its file goes with that."""
        if self._mine is not None and owner == self._mine[0]:
            return False
        try:
            descriptor = os.open(self._file(owner), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file(owner).unlink(missing_ok=True)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def _file(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"


@dataclass(frozen=True)
class _PolicyJournal:
    journal: JournalFile
    policy: str
    account: str

    def begin(self, work: Work) -> int:
        return self.journal.begin(self.policy, self.account, work)

    def end(self, number: int) -> None:
        self.journal.end(number)

    def leave(self, number: int) -> None:
        self.journal.leave(number)


def _plain(value: object) -> object:
    return value.reveal() if isinstance(value, Secret) else value


def _work(kind: str, told: str) -> Work:
    fields = json.loads(told)
    if kind == "OpenSession":
        return OpenSession(**{**fields, "url": Secret(fields["url"]), "names": tuple(fields["names"])})
    return SetAside(**fields)
