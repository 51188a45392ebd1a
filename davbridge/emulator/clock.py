"""The emulator's time: the real one plus an offset, so that tokens and sessions can be made to expire at once."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Wall-clock time that tests can push forward."""

    def __init__(self) -> None:
        self._offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def monotonic(self) -> float:
        return time.monotonic() + self._offset.total_seconds()

    def advance(self, seconds: float) -> None:
        """Let everything with a lifetime age by `seconds`."""
        self._offset += timedelta(seconds=seconds)

    def reset(self) -> None:
        """Back to the real time."""
        self._offset = timedelta()


def text(moment: datetime, *, milliseconds: bool = False) -> str:
    """ISO 8601 with `Z`: whole seconds on business drives, milliseconds on personal ones (§2.5)."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{moment.microsecond // 1000:03}" if milliseconds else "") + "Z"
