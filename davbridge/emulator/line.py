"""A line as long and as narrow as one to Microsoft: so many seconds a request, so many bytes a second a connection.

Why here: on loopback every program is as fast as its CPU; what a client gains by asking for several ranges at a time,
or by sending one fragment while the next is read, shows only where a request takes its time and a connection has its
bounds. Two connections get twice the rate of one, as they do with TCP over a distance.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import BinaryIO

PIECE = 64 << 10
"""Bytes that are paced as one: 3 ms at 20 MB/s."""
_CREDIT = 0.005
"""Seconds by which a sleep may have been too long and is made up for; an idle connection saves nothing."""


@dataclass
class Line:
    """`latency` in seconds, before the answer to each request; `rate` in bytes a second each way; 0: not limited."""

    latency: float = 0.0
    rate: float = 0.0

    def set(self, latency: float, rate: float) -> None:
        """From the next request on. Raises ValueError."""
        if not 0 <= latency <= 60 or rate < 0:
            raise ValueError("a line has a latency of 0 to 60 seconds and a rate that is not negative")
        self.latency, self.rate = latency, rate

    def delay(self) -> None:
        """The time that a request and its answer are on their way."""
        if self.latency:
            time.sleep(self.latency)


class Pace:
    """One direction of one connection."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._free = 0.0

    @property
    def is_limited(self) -> bool:
        return self._line.rate > 0

    def take(self, size: int) -> None:
        """Wait until `size` more bytes have passed."""
        if not self._line.rate:
            return
        now = time.monotonic()
        self._free = max(self._free, now - _CREDIT) + size / self._line.rate
        pause = self._free - now
        if pause > 0:
            time.sleep(pause)


class PacedReader:
    """The reading side of a connection. What the client has sent waits in the socket until its time has come."""

    def __init__(self, reader: BinaryIO, pace: Pace) -> None:
        self._reader = reader
        self._pace = pace

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer only at the end."""
        if not self._pace.is_limited:
            return self._reader.read(size)
        parts = []
        while size > 0:
            part = self._reader.read(min(size, PIECE))
            if not part:
                break
            self._pace.take(len(part))
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
