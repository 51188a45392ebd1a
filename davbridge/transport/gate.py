"""The pause, and the pace, that all who talk to a host share while it throttles us, or is about to.

Rejected calls count too, so hammering prolongs it (facts: Graph §8.1). Here for all threads of one process; between
processes in `storedgates`.
"""

from __future__ import annotations

import threading
from typing import Protocol

from davbridge.clock import Clock
from davbridge.transport.pace import Budget, Pace


class Gates(Protocol):
    """Each host's "not before". A host is `host:port`. Thread-safe."""

    def close_for(self, host: str, seconds: float) -> None:
        """Let nobody through for `seconds`; a longer pause that is already set stays."""

    def slow_down(self, host: str, budget: Budget) -> None:
        """Let requests through at the pace that the newest `budget` allows."""

    def speed_up(self, host: str) -> None:
        """An answer has announced no budget: a pace whose time is over is forgotten."""

    def remaining(self, host: str) -> float:
        """Seconds until the gate opens for the next request; 0 when it is open."""

    def enter(self, host: str) -> float:
        """As `remaining`; at 0 the request that asks goes through, and others keep their distance from it."""

    def open_all(self) -> None:
        """Forget all pauses and paces."""


class MemoryGates:
    """`Gates` of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._not_before: dict[str, float] = {}
        self._paces: dict[str, Pace] = {}

    def close_for(self, host: str, seconds: float) -> None:
        with self._lock:
            self._not_before[host] = max(self._not_before.get(host, 0.0), self._clock.monotonic() + seconds)

    def slow_down(self, host: str, budget: Budget) -> None:
        with self._lock:
            self._paces[host] = Pace.of(budget, self._clock.monotonic(), self._paces.get(host))

    def speed_up(self, host: str) -> None:
        with self._lock:
            pace = self._paces.get(host)
            if pace is not None and pace.is_over(self._clock.monotonic()):
                del self._paces[host]

    def remaining(self, host: str) -> float:
        with self._lock:
            return self._remaining(host)

    def enter(self, host: str) -> float:
        with self._lock:
            left = self._remaining(host)
            pace, now = self._paces.get(host), self._clock.monotonic()
            if not left and pace is not None and pace.is_kept(now):
                self._paces[host] = pace.taken(now)
            return left

    def open_all(self) -> None:
        with self._lock:
            self._not_before.clear()
            self._paces.clear()

    def _remaining(self, host: str) -> float:
        now = self._clock.monotonic()
        pace = self._paces.get(host)
        return max(0.0, self._not_before.get(host, 0.0) - now, pace.wait(now) if pace is not None else 0.0)
