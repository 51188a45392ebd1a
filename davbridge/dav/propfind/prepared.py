"""Listings that are kept as bytes: a folder that is listed again, and has not changed, is sent as it is.

What is kept is void by its key: the folder's stamp is in it. Only memory is bounded here; each process has its own.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable

from cachetools import LRUCache

LIMIT = 32 * 2**20
"""Bytes of all listings together."""


class Prepared:
    """Rendered children of folders, the least recently used leave first. Thread-safe."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.largest = limit // 2
        self._lock = threading.Lock()
        self._kept: LRUCache[Hashable, bytes] = LRUCache(limit, getsizeof=len)

    def get(self, key: Hashable) -> bytes | None:
        with self._lock:
            return self._kept.get(key)

    def put(self, key: Hashable, body: bytes) -> None:
        """Keep a listing, unless it would fill half of the room by itself."""
        if len(body) <= self.largest:
            with self._lock:
                self._kept[key] = body
