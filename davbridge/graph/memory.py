"""The memory that all uploads of a process have together, and what of it one of them may hold (design §3)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

UNIT = 327_680
"""Fragments are multiples of this, except the last (facts: Graph §3.3)."""
ROOM = 128 * 2**20
"""Bytes for the uploads of all processes of a bridge."""
_MOST = 54 * 2**20
"""Bytes for one upload, however alone it is: the largest fragment, and something of the next."""


class Memory:
    """`room` bytes. Few uploads get much of it, many get little, and each gets one unit whatever happens."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._taken = 0
        self._uploads = 0

    @property
    def taken(self) -> int:
        """Bytes that uploads have, filled or not."""
        return self._taken

    @contextmanager
    def upload(self) -> Iterator[Share]:
        """One upload more, for the block."""
        with self._lock:
            self._uploads += 1
        share = Share(self)
        try:
            yield share
        finally:
            with self._lock:
                self._taken -= share.taken
                self._uploads -= 1

    def _resize(self, share: Share, wanted: int, least: int) -> int:
        with self._lock:
            others = self._taken - share.taken
            most = min(wanted, self._room // self._uploads, _MOST, self._room - others)
            size = max(most - most % UNIT, least, UNIT)
            self._taken = others + size
            return size


class Share:
    """What one upload has of it: `taken` bytes. For one thread at a time."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.taken = 0

    def resize(self, wanted: int, least: int = 0) -> int:
        """Have as much of `wanted` bytes as there is, but `least` at least, which are filled: a multiple of `UNIT`."""
        self.taken = self._memory._resize(self, wanted, least)
        return self.taken
