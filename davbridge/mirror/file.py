"""The mirror's SQLite file: opened, counted in, and made anew when it is damaged or gone (law 5).

Why here: every other module of the mirror reads and writes through this one, so that a damaged file costs a rebuild and
nothing else. Drives are numbers in it, since their ids are long and stand in every row.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from davbridge.clock import Clock
from davbridge.mirror.pen import Pen
from davbridge.mirror.schema import SCHEMA, VERSION
from davbridge.store.database import Damaged, Database, Row

log = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0


class MirrorFile:
    """One file, shared by all threads and processes that have it open."""

    def __init__(self, path: Path, clock: Clock, *, fence: float) -> None:
        self.clock = clock
        self.path = path
        self._fence = fence
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()
        self._looked = 0.0
        self._epoch = (-1, 0)
        self._database = Database(path, durable=False)
        self._prepare()

    def now(self) -> float:
        """Wall-clock seconds: take this before a read begins, since news is as old as its request."""
        return self.clock.now().timestamp()

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows; none when the file is damaged: then nothing is known any more."""
        generation = self._database.generation
        try:
            return self._database.read(sql, parameters)
        except Damaged as damaged:
            self._renew(damaged, generation)
            return []

    def stream(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """Rows one by one, from one snapshot. Raises Damaged in the middle, which cuts whatever it is read for."""
        return self._database.stream(sql, parameters)

    @contextmanager
    def writing(self) -> Iterator[Pen]:
        """A transaction. What was to be written into a damaged file is lost, as the mirror may be.

        Raises: Busy.
        """
        generation = self._database.generation
        try:
            with self._database.transaction() as transaction:
                pen = Pen(transaction, self.now(), self._fence)
                yield pen
                pen.finish()
        except Damaged as damaged:
            self._renew(damaged, generation)

    def number(self, drive_id: str) -> int:
        """The number of a drive, by its id in `keys.key_of`'s spelling."""
        known = self._numbers.get(drive_id)
        if known is None:
            with self.writing() as pen:
                known = self._numbers[drive_id] = pen.number(drive_id)
        return known or 0

    def drive_id(self, number: int) -> str:
        """The drive with that number; empty when there is none (any more)."""
        for drive_id, known in list(self._numbers.items()):
            if known == number:
                return drive_id
        rows = self.read("SELECT id FROM drives WHERE number = ?", (number,))
        if not rows:
            return ""
        self._numbers[rows[0][0]] = number
        return str(rows[0][0])

    @property
    def epoch(self) -> int:
        """A number that no other file has."""
        generation = self._database.generation
        if self._epoch[0] != generation:
            rows = self.read("SELECT value FROM counters WHERE name = 'epoch'")
            self._epoch = (generation, int(rows[0][0]) if rows else 0)
        return self._epoch[1]

    @property
    def sequence(self) -> int:
        """The number of the last change."""
        rows = self.read("SELECT value FROM counters WHERE name = 'seq'")
        return int(rows[0][0]) if rows else 0

    def look(self) -> None:
        """Notice, at most once a second, that the file was deleted or replaced by another process."""
        now = self.clock.monotonic()
        if now - self._looked > _LOOK_SECONDS:
            self._looked = now
            if self._database.is_elsewhere():
                log.warning("the mirror's file is gone: it is made anew")
                self._reopen()

    def clear(self) -> None:
        """Know nothing any more."""
        with self.writing() as pen:
            pen.clear()
        self._numbers.clear()

    def close(self) -> None:
        """Close the calling thread's connection."""
        self._database.close()

    def _prepare(self) -> None:
        generation = self._database.generation
        try:
            self._create()
        except Damaged as damaged:
            self._renew(damaged, generation)

    def _create(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.touch(mode=0o600)
        with self._database.transaction() as transaction:
            if transaction.execute("PRAGMA user_version").fetchone()[0] not in (0, VERSION):
                raise Damaged("the mirror's file is of another version")
            for statement in SCHEMA:
                transaction.execute(statement)
            transaction.execute(f"PRAGMA user_version = {VERSION}")
            transaction.execute("INSERT OR IGNORE INTO counters VALUES ('epoch', ?), ('seq', 1)", (_epoch(),))

    def _renew(self, damaged: Damaged, generation: int) -> None:
        """Another file in the place of a damaged one, unless another thread or process has put it there already."""
        with self._lock:
            if self._database.generation != generation:
                return
            log.error("the mirror is damaged and is built anew: %s", damaged)
            if not self._database.is_elsewhere():
                for suffix in ("", "-wal", "-shm"):
                    Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            self._database.reopen()
            self._numbers.clear()
            self._create()

    def _reopen(self) -> None:
        with self._lock:
            self._database.reopen()
            self._numbers.clear()
        self._prepare()


def _epoch() -> int:
    return secrets.randbits(48)
