"""When to ask for changes: often while clients are there, seldom when they are quiet, never after a long silence.

One thread a drive in every process; the one whose process holds the lock polls. It must never end for an error of
Graph's, and never ask more often than it is told to.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from davbridge.clock import Clock
from davbridge.errors import BridgeError, Busy, NeedsSignIn, Unsupported
from davbridge.mirror.sync import DeltaSync
from davbridge.mirror.watch import Watch

log = logging.getLogger(__name__)
_TICK = 0.2
_LEAD_SECONDS = 1.0
_STOP_SECONDS = 10.0
"""For a page under way; one that waits longer is cut by the end of the process, which harms nothing."""
_UNAVAILABLE_SECONDS = 3600.0
_LONG_ROUND = 10.0


@dataclass(frozen=True)
class Pace:
    """Seconds between polls. `quiet_after`, `stop_after`: seconds without a request."""

    busy: float = 15.0
    quiet: float = 60.0
    quiet_after: float = 300.0
    stop_after: float = 1800.0
    longest_failure: float = 300.0

    def interval(self, idle: float) -> float | None:
        """How long after the last poll the next is due; None: not at all."""
        if idle > self.stop_after:
            return None
        return self.busy if idle <= self.quiet_after else max(self.busy, self.quiet)

    def after_failures(self, count: int) -> float:
        """The pause after so many failed polls in a row."""
        return min(self.busy * 2.0 ** min(count - 1, 10), self.longest_failure)


class Channel(Protocol):
    """Something that hears of changes at once (`davbridge.push`)."""

    def run(self, stop: threading.Event, changed: Callable[[], None]) -> None:
        """Listen until `stop` is set."""


class Poller:
    """Keeps one drive's mirror fresh. `channel` is opened by the process that polls."""

    def __init__(
        self, sync: DeltaSync, watch: Watch, clock: Clock, pace: Pace, channel: Callable[[], Channel] | None = None
    ) -> None:
        self._sync = sync
        self._watch = watch
        self._clock = clock
        self._pace = pace
        self._channel = channel
        self._stop = threading.Event()
        self._listening: threading.Thread | None = None
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a round under way ends with its page."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        told = False
        while not self._stop.is_set():
            try:
                lock = self._watch.try_lock()
            except OSError as error:
                if not told:
                    log.error("the mirror's lock cannot be taken: %s", error)
                lock, told = None, True
            if lock is not None:
                try:
                    self._lead(lock)
                finally:
                    os.close(lock)
            self._stop.wait(_LEAD_SECONDS)

    def _lead(self, lock: int) -> None:
        self._listen()
        due, failures = 0.0, 0
        heard = -1.0  # the first round is wanted by whoever starts the bridge
        while not self._stop.wait(_TICK) and self._watch.holds(lock):
            poked = self._watch.poked_at()
            wanted = poked > heard and not failures
            interval = self._pace.interval(self._watch.idle_seconds())
            if not wanted and (interval is None or self._clock.monotonic() < due):
                continue
            heard = poked
            began = self._clock.monotonic()
            pause, failures = self._poll(failures)
            if pause is not None:
                due = self._clock.monotonic() + pause
                continue
            due = began + (interval or self._pace.busy)
            if self._clock.monotonic() - began > _LONG_ROUND:
                due = 0.0  # much may have happened meanwhile
        if self._listening is not None and self._stop.is_set():
            self._listening.join()

    def _poll(self, failures: int) -> tuple[float | None, int]:
        """One round; the pause that it wants (None: the usual one), and the failures in a row."""
        try:
            self._sync.round(self._stop)
        except Unsupported:
            if not failures:
                log.warning(
                    "delta is not to be had for drive %s: its folders are read again every 15 seconds", self._sync.name
                )
            return _UNAVAILABLE_SECONDS, failures + 1
        except NeedsSignIn:
            # the account has told it, once for all of its drives; it knows without asking Microsoft, and a new sign-in
            # shall be seen at once
            return None, failures + 1
        except BridgeError as error:
            if not failures:
                log.warning("changes of drive %s could not be asked for: %s", self._sync.name, error)
            pause = self._pace.after_failures(failures + 1)
            return max(pause, error.retry_after) if isinstance(error, Busy) else pause, failures + 1
        except Exception:
            log.exception("a delta round failed")
            return self._pace.longest_failure, failures + 1
        if failures:
            log.info("changes of drive %s are told again", self._sync.name)
        return None, 0

    def _listen(self) -> None:
        if self._channel is None or (self._listening is not None and self._listening.is_alive()):
            return
        channel = self._channel()
        self._listening = threading.Thread(
            target=channel.run, args=(self._stop, self._watch.poke), name="push channel", daemon=True
        )
        self._listening.start()
