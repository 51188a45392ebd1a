"""The pause that all who talk to a host share while it throttles us.

Rejected calls count too, so hammering prolongs it (facts: Graph §8.1). Here for all threads of one process; between
processes in `storedgates`.
"""

from __future__ import annotations

import threading
from typing import Protocol

from davbridge.clock import Clock


class Gates(Protocol):
    """Each host's "not before". A host is `host:port`. Thread-safe."""

    def close_for(self, host: str, seconds: float) -> None:
        """Let nobody through for `seconds`; a longer pause that is already set stays."""

    def remaining(self, host: str) -> float:
        """Seconds until the gate opens; 0 when it is open."""

    def open_all(self) -> None:
        """Forget all pauses."""


class MemoryGates:
    """`Gates` of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._not_before: dict[str, float] = {}

    def close_for(self, host: str, seconds: float) -> None:
        with self._lock:
            self._not_before[host] = max(self._not_before.get(host, 0.0), self._clock.monotonic() + seconds)

    def remaining(self, host: str) -> float:
        with self._lock:
            return max(0.0, self._not_before.get(host, 0.0) - self._clock.monotonic())

    def open_all(self) -> None:
        with self._lock:
            self._not_before.clear()
