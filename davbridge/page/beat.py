"""A thread that tells the other workers once a second how things stand here, while there is something to tell.

A request only notes in memory what it does; what is written is written here, so that no transfer waits for a file.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from davbridge.errors import BridgeError

SECONDS = 1.0
_MOST_FAILURES = 10
STALE_SECONDS = 10.0
"""Rows whose process has not told for so long belong to a dead one."""

log = logging.getLogger(__name__)
Tick = Callable[[], bool]
"""Writes what is new; whether it wants to be called again though nobody has waked the thread."""


class Beat:
    """Runs `ticks` once a second from `wake` on until all have nothing more to tell. `done` is called at the end."""

    def __init__(self, done: Callable[[], None], pause: float = SECONDS) -> None:
        self._done = done
        self._pause = pause
        self._ticks: tuple[Tick, ...] = ()
        self._lock = threading.Lock()
        self._wanted = self._running = False
        self._failures = 0

    def add(self, ticks: Sequence[Tick]) -> None:
        self._ticks += tuple(ticks)

    def wake(self) -> None:
        """There is something to tell."""
        if self._wanted and self._running:
            return
        with self._lock:
            self._wanted = True
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._run, name="status page", daemon=True).start()

    def once(self) -> bool:
        """Tell what is new; whether there is more to come. Raises nothing: the page is no reason to fail."""
        more = failed = False
        for tick in self._ticks:
            try:
                more = tick() or more
            except BridgeError as error:
                log.debug("the status page's file: %s", error)
                failed = True
        self._failures = self._failures + 1 if failed else 0
        return more or 0 < self._failures < _MOST_FAILURES

    def _run(self) -> None:
        pause = threading.Event()
        try:
            while True:
                pause.wait(self._pause)
                self._wanted = False
                more = self.once()
                with self._lock:
                    if not more and not self._wanted:
                        self._running = False
                        return
        except Exception:
            log.exception("the status page's news cannot be told")
            self._running = False
        finally:
            self._done()
