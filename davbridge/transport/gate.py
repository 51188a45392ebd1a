"""The pause that all threads share while a host throttles us.

Rejected calls count too, so hammering prolongs it (facts: Graph §8.1).
"""

from __future__ import annotations

import threading

from davbridge.clock import Clock


class Gate:
    """One host's "not before". Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._not_before = 0.0

    def close_for(self, seconds: float) -> None:
        """Let nobody through for `seconds`; a longer pause that is already set stays."""
        with self._lock:
            self._not_before = max(self._not_before, self._clock.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds until the gate opens; 0 when it is open."""
        with self._lock:
            return max(0.0, self._not_before - self._clock.monotonic())


class Gates:
    """The gates of all hosts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._gates: dict[str, Gate] = {}

    def of(self, host: str) -> Gate:
        """The gate of `host:port`."""
        with self._lock:
            return self._gates.setdefault(host, Gate(self._clock))
