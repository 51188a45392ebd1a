"""What went wrong lately, in plain words, for all workers: a short table in which the same trouble stands once.

Two sources: what the bridge logs as a warning or an error, and what it has answered to clients as its own or
Microsoft's failure. Each passes through `redact` first.
"""

from __future__ import annotations

import logging
import threading
import weakref
from dataclasses import dataclass

from davbridge.clock import Clock
from davbridge.page.beat import Beat
from davbridge.page.words import UNPRINTABLE
from davbridge.redact import redact
from davbridge.store.database import Database

MOST = 100
_LONGEST = 400
_DAYS = 7


@dataclass(frozen=True)
class Trouble:
    """`count` times between `first` and `last` (POSIX seconds)."""

    message: str
    serious: bool
    count: int
    first: float
    last: float


class Troubles:
    """Notes are kept in memory and written by the beat, so that a flood costs a row."""

    def __init__(self, database: Database, clock: Clock, beat: Beat) -> None:
        self._database = database
        self._clock = clock
        self._beat = beat
        self._lock = threading.Lock()
        self._new: dict[str, Trouble] = {}
        self._unlisten: weakref.finalize[..., Troubles] | None = None
        beat.add([self.tick])

    def note(self, message: str, *, serious: bool) -> None:
        """One more of its kind. Raises nothing."""
        text = _plain(message)
        if not text:
            return
        now = self._clock.now().timestamp()
        with self._lock:
            known = self._new.get(text)
            if known is None and len(self._new) >= MOST:
                return
            first = known or Trouble(text, serious, 0, now, now)
            self._new[text] = Trouble(text, serious or first.serious, first.count + 1, first.first, now)
        self._beat.wake()

    def listen(self, logger: logging.Logger) -> None:
        """Note what is logged there, for as long as we exist."""
        handler = _Handler(weakref.ref(self))
        logger.addHandler(handler)
        self._unlisten = weakref.finalize(self, logger.removeHandler, handler)
        self._unlisten.atexit = False

    def close(self) -> None:
        """Listen no more."""
        if self._unlisten is not None:
            self._unlisten()

    def tick(self) -> bool:
        """Write what is new. Raises what `Database` raises."""
        with self._lock:
            new, self._new = self._new, {}
        if new:
            with self._database.transaction() as transaction:
                transaction.executemany(
                    "INSERT INTO troubles VALUES (?, ?, ?, ?, ?) ON CONFLICT (message) DO UPDATE SET "
                    "count = count + excluded.count, last = excluded.last, serious = max(serious, excluded.serious)",
                    [(one.message, one.serious, one.count, one.first, one.last) for one in new.values()],
                )
                transaction.execute(
                    "DELETE FROM troubles WHERE last < ? OR message NOT IN "
                    "(SELECT message FROM troubles ORDER BY last DESC LIMIT ?)",
                    (self._oldest(), MOST),
                )
        return False

    def _oldest(self) -> float:
        return self._clock.now().timestamp() - _DAYS * 86400

    def list(self, most: int = 20) -> list[Trouble]:
        """The latest first, of the last seven days."""
        rows = self._database.read(
            "SELECT * FROM troubles WHERE last >= ? ORDER BY last DESC LIMIT ?", (self._oldest(), most)
        )
        return [Trouble(row["message"], bool(row["serious"]), row["count"], row["first"], row["last"]) for row in rows]


class _Handler(logging.Handler):
    def __init__(self, troubles: weakref.ref[Troubles]) -> None:
        super().__init__(logging.WARNING)
        self._troubles = troubles

    def emit(self, record: logging.LogRecord) -> None:
        troubles = self._troubles()
        if troubles is not None and not record.name.startswith(__package__):
            troubles.note(record.getMessage(), serious=record.levelno >= logging.ERROR)


def _plain(message: str) -> str:
    """One line without secrets, control characters, or what turns the writing round."""
    first = redact(message.strip().partition("\n")[0])
    text = UNPRINTABLE.sub(" ", first).strip()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"
