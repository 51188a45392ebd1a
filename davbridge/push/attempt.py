"""Work that waits for the network, given up the moment somebody wants to stop.

Why a thread: name lookups, TCP and TLS handshakes and calls to Graph block for seconds and cannot be woken. One that is
abandoned ends by itself, within its own limits, and what it has opened by then is discarded.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from davbridge.push.channel import Stopped

T = TypeVar("T")
_STEP = 0.1


def attempt(
    stop: threading.Event,
    work: Callable[[], T],
    *,
    discard: Callable[[T], None] = lambda result: None,
    patience: float | None = None,
) -> T:
    """What `work` gives.

    Raises:
        Stopped: `stop` was set first, or `patience` seconds are over; the result, should there be one, is discarded.
        Exception: whatever `work` raised.
    """
    running = _Work(work, discard)
    end = None if patience is None else time.monotonic() + patience
    running.start()
    while not running.done.wait(_STEP):
        if (stop.is_set() or (end is not None and time.monotonic() > end)) and running.abandon():
            raise Stopped
    if running.error is not None:
        raise running.error
    return running.results[0]


class _Work(threading.Thread, Generic[T]):
    """Either its result is taken, or it discards it itself."""

    def __init__(self, work: Callable[[], T], discard: Callable[[T], None]) -> None:
        super().__init__(name="push attempt", daemon=True)
        self._work = work
        self._discard = discard
        self._handover = threading.Lock()
        self._abandoned = False
        self.done = threading.Event()
        self.results: list[T] = []
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            result = self._work()
        except Exception as error:
            self.error = error
            self.done.set()
            return
        with self._handover:
            if not self._abandoned:
                self.results.append(result)
                self.done.set()
                return
        with contextlib.suppress(Exception):  # nobody is there any more who could be told
            self._discard(result)

    def abandon(self) -> bool:
        """False when it is done already."""
        with self._handover:
            self._abandoned = not self.done.is_set()
            return self._abandoned
