"""Sign-ins to the page that were refused, in the log: one line a minute, however many somebody tries."""

from __future__ import annotations

import logging
import threading
from collections.abc import Container

from davbridge.clock import Clock

_EVERY_SECONDS = 60.0

log = logging.getLogger(__name__)


class Refusals:
    """`users`: the names that may be written down. Another one may be a password in the wrong field."""

    def __init__(self, users: Container[str], clock: Clock) -> None:
        self._users = users
        self._clock = clock
        self._lock = threading.Lock()
        self._quiet_until = 0.0
        self._untold = 0

    def tell(self, name: str, address: str, reason: str) -> None:
        """Log it, or count it for the next line."""
        with self._lock:
            now = self._clock.monotonic()
            if now < self._quiet_until:
                self._untold += 1
                return
            more, self._untold, self._quiet_until = self._untold, 0, now + _EVERY_SECONDS
        who = f"as {name}" if name in self._users else "with an unknown name"
        before = f"; {more} more since the last such line" if more else ""
        log.warning("the status page refused a sign-in %s from %s: %s%s", who, address or "-", reason, before)
