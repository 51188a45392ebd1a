"""A channel in a thread of its own, and what it tells."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from davbridge.clock import SystemClock
from davbridge.push import Pacing, PushChannel
from tests.support.world import eventually

FAST = Pacing(first=0.02, longest=0.1, unavailable=0.2)


class ShiftedClock(SystemClock):
    """The real clock, put forward at times."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._ahead)

    def advance(self, seconds: float) -> None:
        """Only the wall clock: monotonic time is what connections are watched by."""
        self._ahead += seconds


class Listener:
    """Runs a channel; `heard` counts what it told."""

    def __init__(self, channel: PushChannel) -> None:
        self.channel = channel
        self.stop = threading.Event()
        self.heard = 0
        self._told = threading.Semaphore(0)
        self._thread = threading.Thread(target=channel.run, args=(self.stop, self.changed))

    def start(self) -> Listener:
        self._thread.start()
        return self

    def changed(self) -> None:
        self.heard += 1
        self._told.release()

    def wait(self, seconds: float = 2.0) -> None:
        """For one more call of `changed`."""
        assert self._told.acquire(timeout=seconds), f"nothing was told; {self.channel.state}"

    def drain(self) -> None:
        """Forget what was told so far."""
        while self._told.acquire(blocking=False):
            pass

    def wait_for(self, kind: str) -> None:
        eventually(lambda: self.channel.state.kind == kind)

    def end(self) -> float:
        """Stop; how long that took."""
        begun = time.monotonic()
        self.stop.set()
        if self._thread.ident is not None:
            self._thread.join(10)
            assert not self._thread.is_alive(), "the channel did not end"
        return time.monotonic() - begun


Listen = Callable[[PushChannel], Listener]


@contextmanager
def listeners() -> Iterator[Listen]:
    """Starts channels; in the end all of them, and all that they have begun, have ended."""
    started: list[Listener] = []

    def listen(channel: PushChannel) -> Listener:
        started.append(Listener(channel).start())
        return started[-1]

    try:
        yield listen
    finally:
        for one in started:
            one.end()
        eventually(lambda: not [thread for thread in threading.enumerate() if thread.name == "push attempt"], 10)
