"""Time, as an object that tests can hold in their hand.

Why here: retry pauses, cache ages, lock expiry and token lifetimes must be testable without sleeping. Code that needs
time takes a `Clock`; nothing below `app` calls `time.time()` or `time.sleep()` itself.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time, monotonic time and sleep."""

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds that only ever grow; use it for ages and deadlines."""

    def sleep(self, seconds: float) -> None:
        """Pause the calling thread."""


class SystemClock:
    """The real clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


class ManualClock:
    """A clock that stands still until told otherwise; `sleep` moves it on at once and records the pause."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
        self._monotonic = 1000.0
        self._lock = threading.Lock()
        self.pauses: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move wall and monotonic time on by `seconds`."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._monotonic += seconds
