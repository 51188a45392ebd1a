"""The channel itself: one way of listening after the other, with pauses between failures, until it is stopped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from davbridge.clock import Clock
from davbridge.errors import BridgeError, Busy, Unsupported
from davbridge.push.channel import Pacing, State, Stopped, Way
from davbridge.push.standing import Standing

log = logging.getLogger("davbridge.push")


class Listening:
    """A `PushChannel` over `ways`, the best first: the next is taken where one is not offered, or fails for long."""

    def __init__(self, ways: Sequence[Way], drive_id: str, clock: Clock, pacing: Pacing | None = None) -> None:
        self._ways = tuple(ways)
        self._clock = clock
        self._pacing = pacing or Pacing()
        self._standing = Standing(drive_id, clock)
        self._turn = 0
        self._failures = 0
        self._connected_at: float | None = None

    @property
    def state(self) -> State:
        return self._standing.state

    def run(self, stop: threading.Event, changed: Callable[[], None]) -> None:
        """As `PushChannel.run`."""
        try:
            pause = 0.0
            while not stop.wait(pause):
                pause = self._listen(stop, _harmless(changed))
        finally:
            for way in self._ways:
                way.close()

    def _listen(self, stop: threading.Event, changed: Callable[[], None]) -> float:
        """Connect once, listen to its end; the pause before the next."""
        way = self._ways[self._turn]
        self._connected_at = None
        try:
            way.listen(stop, lambda: self._connected(way, changed), changed)
        except Stopped:
            return 0.0
        except Unsupported as error:
            return self._not_offered(str(error))
        except BridgeError as error:
            pause = self._lost(str(error))
            return max(pause, error.retry_after) if isinstance(error, Busy) else pause
        except Exception:
            # a thread that ended would leave the drive to polls, and nothing would say so
            if not self._failures:
                log.exception("a push channel failed")
            return self._lost("an error of the bridge's own")
        # to be renewed; a server that wants that all the time is not served faster than it fails
        return 0.0 if self._held(self._pacing.first) else self._pacing.first

    def _connected(self, way: Way, changed: Callable[[], None]) -> None:
        self._connected_at = self._clock.monotonic()
        self._standing.connected(way.name)
        changed()

    def _lost(self, reason: str) -> float:
        if self._held(self._pacing.steady):
            self._failures = 0
        self._failures += 1
        self._standing.lost(reason, again=self._failures > 1 and self._connected_at is not None)
        if self._failures % self._pacing.rounds == 0:
            self._turn = (self._turn + 1) % len(self._ways)
        return self._pacing.after(self._failures)

    def _not_offered(self, reason: str) -> float:
        self._turn += 1
        if self._turn < len(self._ways):
            return 0.0
        self._turn = 0
        self._standing.unavailable(reason)
        return self._pacing.unavailable

    def _held(self, seconds: float) -> bool:
        return self._connected_at is not None and self._clock.monotonic() - self._connected_at >= seconds


def _harmless(changed: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        try:
            changed()
        except Exception:
            log.exception("a change could not be passed on")

    return call
