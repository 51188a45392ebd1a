"""A clock for a real bridge in tests: pauses are counted in full and slept in part."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from davbridge.clock import SystemClock


class HastyClock(SystemClock):
    """Each pause takes a fiftieth of its time; both times go on as if it had been slept whole."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ahead = 0.0
        self.slept = 0.0
        self.follower: Callable[[float], None] | None = None
        """Another clock that is moved on by so many seconds when this one is."""

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._ahead)

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds) / 50)
        with self._lock:
            self.slept += seconds
            self._ahead += seconds * 49 / 50
            if self.follower is not None:
                self.follower(seconds * 49 / 50)

    def skip(self, seconds: float) -> None:
        """Let so much time have gone by."""
        with self._lock:
            self._ahead += seconds
