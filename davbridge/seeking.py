"""Finding the drives that a process has had no request for, so that its figures are those of the other workers."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from davbridge import deadline
from davbridge.clock import Clock
from davbridge.drivers.graphdriver import GraphDriver
from davbridge.errors import BridgeError

_PAUSE_SECONDS = 60.0
"""Between two tries: whoever asks for figures asks every few seconds."""


class Seeker:
    """Looks drives up beside whoever asks. `not_found`: the policies whose drive the last try did not find."""

    def __init__(self, drivers: Mapping[str, GraphDriver], clock: Clock) -> None:
        self._drivers = drivers
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock.monotonic()
        self.not_found: frozenset[str] = frozenset()

    def seek(self) -> None:
        """Begin, if anything is to be found and nobody does it already. Does not wait."""
        if all(driver.is_open for driver in self._drivers.values()) or self._clock.monotonic() < self._next:
            return
        if self._lock.acquire(blocking=False):
            self._next = self._clock.monotonic() + _PAUSE_SECONDS
            threading.Thread(target=self._run, name="finding drives", daemon=True).start()

    def _run(self) -> None:
        try:
            lost = set()
            for name, driver in self._drivers.items():
                try:
                    with deadline.within(self._clock, deadline.READ_SECONDS):
                        driver.probe()
                except BridgeError:
                    lost.add(name)
            self.not_found = frozenset(lost)
        finally:
            self._lock.release()
