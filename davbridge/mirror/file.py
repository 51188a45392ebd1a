"""The mirror's SQLite file: opened, counted in, and made anew when it is damaged or gone (law 5).

Why here: every other module of the mirror reads and writes through this one, so that a damaged file costs a rebuild and
nothing else. Drives are numbers in it, since their ids are long and stand in every row.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from davbridge.clock import Clock
from davbridge.errors import Busy, QuotaExceeded
from davbridge.mirror.pen import Pen
from davbridge.mirror.schema import SCHEMA, VERSION
from davbridge.store.copy import Copy
from davbridge.store.database import Damaged, Database, Row, Transaction, scratch

log = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_LOST_SECONDS = 10.0
"""How long to do without a file that cannot be made, before trying again."""
_MISS_SECONDS = 5.0
"""How long a file that others write into is waited for, to take in what a read told; and then no more for as long."""
_UNMADE = "no such"
_MOST_COPIES = 4096
_ATTEMPTS = 3
"""At beginning a transaction on a file that turns out to be damaged."""
Answer = TypeVar("Answer")


class MirrorFile:
    """One file, shared by all threads and processes that have it open.

    Where no file can be had (a full disk, a folder that is read-only), nothing is known, and nothing is kept.
    """

    def __init__(self, path: Path, clock: Clock, *, fence: float) -> None:
        self.clock = clock
        self.path = path
        self._fence = fence
        self.is_polled = True
        """Whether somebody asks for changes; false with `poll: 0`."""
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()
        self._looked = 0.0
        self._epoch = (-1, 0)
        self._lost_until = 0.0
        self._missing_until = 0.0
        self.missed = 0
        """How often something that was read could not be taken in."""
        self._database = Database(path, durable=False)
        self._copy = Copy(self._database, _MOST_COPIES)
        self._prepare()

    def now(self) -> float:
        """Wall-clock seconds: take this before a read begins, since news is as old as its request."""
        return self.clock.now().timestamp()

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows; none when the file is damaged: then nothing is known any more."""
        if self.is_lost:
            return []
        generation = self._database.generation
        try:
            return self._database.read(sql, parameters)
        except Damaged as damaged:
            self._renew(damaged, generation)
            return []

    def stream(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """Rows one by one, from one snapshot.

        Raises: Damaged: at once, or in the middle, which cuts whatever it is read for.
        """
        if self.is_lost:
            raise Damaged("there is no mirror")
        generation = self._database.generation
        rows = self._database.stream(sql, parameters)
        try:
            first = next(rows, None)
        except Damaged as damaged:
            self._renew(damaged, generation)
            raise
        return iter(()) if first is None else _joined(first, rows)

    def remember(self, question: Hashable, read: Callable[[], Answer]) -> Answer:
        """The answer to `question`, which `read` finds in the file: a copy in memory while nobody has written to it."""
        if self.is_lost:
            return read()
        try:
            return self._copy.get(question, read)
        except Busy:  # the file's version cannot be had: it is being replaced
            return read()

    @property
    def is_lost(self) -> bool:
        """True while no file can be made."""
        return self._lost_until > 0

    @property
    def generation(self) -> int:
        """Another number when what was known may be lost."""
        return self._database.generation

    @contextmanager
    def reading(self) -> Iterator[Pen]:
        """As `writing`, for what a read told: where others write for too long, it is not kept (faults.md F43)."""
        with ExitStack() as stack:
            try:
                if self.clock.monotonic() < self._missing_until:
                    raise Busy("the mirror was busy a moment ago", 1.0)
                pen = stack.enter_context(self.writing(_MISS_SECONDS))
            except Busy as busy:
                if isinstance(busy, Damaged):
                    raise
                self.missed += 1
                if self.clock.monotonic() >= self._missing_until:
                    log.warning("the mirror %s is busy, and passed by: %s", self.path.name, busy)
                    self._missing_until = self.clock.monotonic() + _MISS_SECONDS
                pen = Pen(stack.enter_context(scratch(SCHEMA)), self.now(), self._fence)
            yield pen

    @contextmanager
    def writing(self, patience: float | None = None) -> Iterator[Pen]:
        """A transaction. What was to be written into a damaged file or onto a full disk is lost, as the mirror may be.

        A file that could not take it is not to be believed any more either, so another takes its place.

        Raises: Busy: others have written for longer than `patience` seconds, or else half a minute.
        """
        begun, attempts = False, 0
        while not begun:
            generation, attempts = -1, attempts + 1
            try:
                with ExitStack() as stack:
                    generation, transaction = self._begin(stack, patience, hopeless=attempts > _ATTEMPTS)
                    pen = Pen(transaction, self.now(), self._fence)
                    begun = True
                    yield pen
                    pen.finish()
            except (Damaged, QuotaExceeded) as error:
                self._renew(error, generation)

    def number(self, drive_id: str) -> int:
        """The number of a drive, by its id in `keys.key_of`'s spelling."""
        known = self._numbers.get(drive_id)
        if known is None:
            generation = self._database.generation
            with self.writing() as pen:
                known = pen.number(drive_id)
            if generation == self._database.generation and known and not self.is_lost:
                self._numbers[drive_id] = known
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
        """Notice, at most once a second, that the file was deleted, replaced or torn, or can be made again."""
        now = self.clock.monotonic()
        if now - self._looked > _LOOK_SECONDS:
            self._looked = now
            if self.is_lost:
                self._retry()
            elif self._database.is_elsewhere():
                self._reopen()
            elif self._database.is_torn():
                self._renew(Damaged("its write-ahead log is gone"), self._database.generation)

    def clear(self) -> None:
        """Know nothing any more."""
        with self.writing() as pen:
            pen.clear()
        self._numbers.clear()

    def close(self) -> None:
        """Close the calling thread's connection."""
        self._database.close()

    def _begin(self, stack: ExitStack, patience: float | None, *, hopeless: bool) -> tuple[int, Transaction]:
        """A transaction on the file at the path, and the generation it belongs to; without a file, one on nothing."""
        if self.is_lost:
            self._retry()
        for _ in range(2):
            if self.is_lost or hopeless:
                break
            generation = self._database.generation
            try:
                with ExitStack() as opened:
                    transaction = opened.enter_context(self._database.transaction(patience))
                    if not self._database.is_elsewhere():
                        stack.enter_context(opened.pop_all())
                        return generation, transaction
                self._reopen()
            except (Damaged, QuotaExceeded) as error:
                self._renew(error, generation)
        return -1, stack.enter_context(scratch(SCHEMA))

    def _prepare(self) -> None:
        generation = self._database.generation
        try:
            with self._alone():
                self._create()
        except (Damaged, QuotaExceeded, OSError) as error:
            self._renew(error, generation)

    def _create(self) -> None:
        self.path.touch(mode=0o600)
        with self._database.transaction() as transaction:
            if transaction.execute("PRAGMA user_version").fetchone()[0] not in (0, VERSION):
                raise Damaged("the mirror's file is of another version")
            for statement in SCHEMA:
                transaction.execute(statement)
            transaction.execute(f"PRAGMA user_version = {VERSION}")
            transaction.execute("INSERT OR IGNORE INTO counters VALUES ('epoch', ?), ('seq', 1)", (_epoch(),))

    def _renew(self, error: Exception, generation: int) -> None:
        """Another file in the place of a damaged one, unless another thread or process has put it there already."""
        with self._lock:
            if self._database.generation != generation or self.is_lost:
                return
            log.error("the mirror %s is damaged and is built anew: %s", self.path.name, error)
            try:
                with self._alone():
                    if not self._database.is_elsewhere() and not self._is_unmade(error):
                        for suffix in ("", "-wal", "-shm"):
                            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
                    self._forget()
                    self._create()
            except (Damaged, QuotaExceeded, OSError) as again:
                log.error(
                    "the mirror %s cannot be kept, so Microsoft is asked for everything: %s", self.path.name, again
                )
                self._forget()
                self._lost_until = self.clock.monotonic() + _LOST_SECONDS

    def _retry(self) -> None:
        """Try to make the file that could not be made."""
        with self._lock:
            if not self.is_lost or self.clock.monotonic() < self._lost_until:
                return
            try:
                with self._alone():
                    self._forget()
                    for suffix in ("", "-wal", "-shm"):  # it has missed what happened since
                        Path(f"{self.path}{suffix}").unlink(missing_ok=True)
                    self._create()
            except (Damaged, QuotaExceeded, OSError):
                self._forget()
                self._lost_until = self.clock.monotonic() + _LOST_SECONDS
                return
            log.warning("the mirror %s can be kept again", self.path.name)
            self._lost_until = 0.0

    def _reopen(self) -> None:
        log.warning("the mirror's file %s is gone: it is made anew", self.path.name)
        with self._lock:
            self._forget()
        self._prepare()

    def _forget(self) -> None:
        self._database.reopen()
        self._numbers.clear()

    @staticmethod
    def _is_unmade(error: Exception) -> bool:
        """Whether another process may be about to make the tables: they are made, then, unless they are there."""
        return isinstance(error, Damaged) and _UNMADE in str(error)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time makes or removes the file. Raises: OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path.with_suffix(".making"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _joined(first: Row, rows: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rows


def _epoch() -> int:
    return secrets.randbits(48)
