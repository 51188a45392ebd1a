"""When the current DAV request must have its answer.

A deadline is set once where a request enters (`with deadline.within(clock, 25): ...`) and read where something may wait
(the transport). It travels in a context variable, because every layer in between would otherwise carry an argument
that only the lowest one uses. Code outside any deadline (sign-in, start-up, background work) gets the default.

Budgets, from facts/faults.md: 25 s for reads; 60 s without progress for writes (`extend` at each fragment).
"""

from __future__ import annotations

from contextvars import ContextVar

from davbridge.clock import Clock

READ_SECONDS = 25.0
WRITE_SECONDS = 60.0
BACKGROUND_SECONDS = 120.0


class Deadline:
    """A point in monotonic time that can be pushed back while work makes progress."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self.seconds = seconds
        self._end = clock.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left; negative when it has passed."""
        return self._end - self._clock.monotonic()

    def extend(self) -> None:
        """Start the full time again: call it when a fragment was sent or a block received."""
        self._end = self._clock.monotonic() + self.seconds


_current: ContextVar[Deadline | None] = ContextVar("davbridge_deadline", default=None)


class within:  # noqa: N801 - used like a function, and every request passes here
    """Make a deadline current for the block: `with within(clock, 25) as deadline`."""

    __slots__ = ("_deadline", "_token")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._deadline = Deadline(clock, seconds)

    def __enter__(self) -> Deadline:
        self._token = _current.set(self._deadline)
        return self._deadline

    def __exit__(self, *exc: object) -> None:
        _current.reset(self._token)


def current(clock: Clock) -> Deadline:
    """The deadline in force, or a fresh background one."""
    return _current.get() or Deadline(clock, BACKGROUND_SECONDS)
