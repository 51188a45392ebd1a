"""The memory that all uploads of a process have together, and what of it the next fragment may take (design §3)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

UNIT = 327_680
"""Fragments are multiples of this, except the last (facts: Graph §3.3)."""
ROOM = 128 * 2**20
"""Bytes for the uploads of all processes of a bridge."""
_MOST = 48 * 2**20
"""Bytes for one upload, however alone it is."""
_AT_ONCE = 2
"""Fragments that an upload holds: one is being sent, the next is being read."""


class Memory:
    """`room` bytes. Few uploads get large fragments, many get small ones, and each gets one unit whatever happens."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._taken = 0
        self._uploads = 0

    @property
    def taken(self) -> int:
        """Bytes in use."""
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
            self._give(share.taken)
            with self._lock:
                self._uploads -= 1

    def _take(self, wanted: int) -> int:
        with self._lock:
            fair = min(self._room // self._uploads, _MOST) // _AT_ONCE
            most = min(wanted, fair, self._room - self._taken)
            size = max(UNIT, most - most % UNIT)
            self._taken += size
            return size

    def _give(self, size: int) -> None:
        with self._lock:
            self._taken -= size


class Share:
    """What one upload has of it: for one thread."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.taken = 0

    def take(self, wanted: int) -> int:
        """Bytes for a fragment: a multiple of `UNIT`, not more than `wanted` unless that is less than one."""
        size = self._memory._take(wanted)
        self.taken += size
        return size

    def give(self, size: int) -> None:
        """A fragment is gone."""
        self._memory._give(size)
        self.taken -= size
