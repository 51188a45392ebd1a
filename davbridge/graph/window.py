"""How many ranges of one download are asked for at a time: 1, 2, 4, 8, as long as more of them make it faster.

One connection over a distance carries what its round trips allow, several carry several times that, until the line or
the CPU is full. Where one is fast enough, or the client is the slower side, more would only cost.
"""

from __future__ import annotations

from dataclasses import dataclass

FAST = 64e6
"""Bytes a second on one connection above which a second one is not worth its requests."""
_PAYS = 1.15
"""By what factor more of them must have made it faster."""
_BUSY = 0.6
"""Of a core: a process that computes so much is held by itself, not by the line."""
_PATIENCE = 6
"""Decisions without a new try after one that did not pay."""


@dataclass
class Sample:
    """`size` bytes given in `elapsed` seconds, `waited` of them for Microsoft; `cpu`: of the process, all threads."""

    size: int = 0
    waited: float = 0.0
    elapsed: float = 0.0
    cpu: float = 0.0

    def add(self, other: Sample) -> None:
        self.size += other.size
        self.waited += other.waited
        self.elapsed += other.elapsed
        self.cpu += other.cpu


class Window:
    """The number of ranges in flight, or fetched and not yet given. It only decides: it reads and waits for nothing."""

    def __init__(self) -> None:
        self.size = 1
        self._sample = Sample()
        self._count = 0
        self._old = 0
        self._former = 1
        self._rate_before = 0.0
        self._hold = 0

    def note(self, sample: Sample, limit: int) -> None:
        """What was given since the last time: the next part. `limit`: for how many there is room."""
        if self._old:
            # asked for before the window grew, so it tells nothing of the new size
            self._old -= 1
            return
        self._sample.add(sample)
        self._count += 1
        if self._count < max(1, self.size // 2):
            return
        self._decide(self._sample, max(1, limit))
        self._sample, self._count = Sample(), 0

    def give_up(self) -> None:
        """Stay with one for good: the service bears no more."""
        self.size, self._old, self._rate_before, self._hold = 1, 0, 0.0, 1 << 30

    def _decide(self, sample: Sample, limit: int) -> None:
        rate = sample.size / max(sample.elapsed, 1e-6)
        before, self._rate_before = self._rate_before, 0.0
        if before and rate < _PAYS * before:
            self.size = self._former
            self._hold = _PATIENCE
        elif sample.waited < 0.1 * sample.elapsed:
            # the client is the slower side: what is fetched early only takes memory
            self.size = max(1, self.size // 2)
        elif self._hold:
            self._hold -= 1
        elif self._is_bound(sample) and self.size < limit:
            self._old, self._rate_before, self._former = self.size, rate, self.size
            self.size = min(2 * self.size, limit)
        self.size = min(self.size, limit)

    def _is_bound(self, sample: Sample) -> bool:
        """Whether what we wait for is the line."""
        waiting = sample.waited > 0.3 * sample.elapsed
        return waiting and sample.cpu < _BUSY * sample.elapsed and sample.size < self.size * FAST * sample.waited
