"""How quickly an upload's client gives and the service takes, and what follows from that: how large a fragment is
wanted, and whether it may begin before all of it has been read.

A large fragment costs few round trips, and much when it breaks. One that begins before it has been read costs no wait,
but makes the service depend on the client: so the client must have shown that it keeps up.
"""

from __future__ import annotations

from collections import deque

from davbridge.clock import Clock
from davbridge.graph.memory import UNIT

FIRST = 32 * UNIT
"""10 MiB: what an upload begins with, as the service recommends (facts: Graph §3.3)."""
SMALLEST = 16 * UNIT
LARGEST = 160 * UNIT
"""50 MiB; the service takes less than 60 (facts: Graph §3.3)."""
SHOWN = 2 * 2**20
"""Bytes after which a client's speed is known: the first ones have been in the kernel's buffers already."""
_GOOD_SECONDS = 4.0
"""For a fragment: a round trip is little beside it, and sending it again is not for ever."""
_WAIT_SECONDS = 3.0
"""What the service may have to wait for the client, within one fragment, if the client goes on as it has."""
_FRESH_SECONDS = 900.0
"""Lines change."""
_LATELY = 26
"""Parts, 8 MiB, that tell the client's speed."""


class Line:
    """How quickly the service took the last fragment of any upload of the process: the next one begins with that."""

    def __init__(self) -> None:
        self.last: tuple[float, int, float] | None = None  # when, bytes, seconds


class Tempo:
    """Bytes and seconds of both sides, for one upload. Not thread-safe."""

    def __init__(self, line: Line, clock: Clock) -> None:
        self._shared = line
        self._clock = clock
        self._lately: deque[tuple[int, float]] = deque(maxlen=_LATELY)
        self._shown = 0
        last = line.last
        self._line = last[1:] if last and clock.monotonic() - last[0] < _FRESH_SECONDS else None

    def read(self, size: int, seconds: float) -> None:
        """The client took so long to give a part."""
        self._lately.append((size, seconds))
        self._shown += size

    def sent(self, size: int, seconds: float) -> None:
        """The service took so long for a fragment, its answer and second tries included."""
        if size >= SMALLEST:  # else it was the round trip that took the time
            self._line = size, seconds
            self._shared.last = self._clock.monotonic(), size, seconds

    @property
    def wanted(self) -> int:
        """Bytes of the next fragment: what both sides manage in some seconds."""
        size = FIRST if self._line is None else _within(_GOOD_SECONDS, *self._line)
        if self._shown >= SHOWN:
            size = min(size, _within(_GOOD_SECONDS, *self._client()))
        return min(max(size // UNIT * UNIT, SMALLEST), LARGEST)

    def may_begin(self, missing: int) -> bool:
        """Whether a fragment may begin of which so many bytes have not been read."""
        if not missing:
            return True
        return self._shown >= SHOWN and missing <= _within(_WAIT_SECONDS, *self._client())

    def _client(self) -> tuple[int, float]:
        return sum(size for size, _ in self._lately), sum(seconds for _, seconds in self._lately)


def _within(seconds: float, size: int, taken: float) -> int:
    """Bytes that come in `seconds`, where `size` took `taken`; no more than anybody asks for."""
    return int(size * seconds / taken) if size * seconds < LARGEST * taken else LARGEST
