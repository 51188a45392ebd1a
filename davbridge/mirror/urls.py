"""Pre-authenticated download URLs, kept for some minutes so that the next range of a file costs no Graph call.

Why here: they age with the item's version; the metadata cache tells when that changes. They are secrets: kept in memory
only, never written anywhere (law 8). "A few minutes" is all that Microsoft promises (facts/graph.md §2.7).
"""

from __future__ import annotations

import threading

from cachetools import TTLCache

from davbridge.clock import Clock
from davbridge.graph.model import DriveItem
from davbridge.mirror.keys import Key
from davbridge.redact import Secret

URL_SECONDS = 240.0


class DownloadUrls:
    """URL and the item's state it was given for, by the key of what has the content. Thread-safe."""

    def __init__(self, clock: Clock, *, seconds: float = URL_SECONDS) -> None:
        self._lock = threading.Lock()
        self._known: TTLCache[Key, tuple[DriveItem, Secret]] = TTLCache(10_000, seconds, clock.monotonic)

    def get(self, key: Key) -> tuple[DriveItem, Secret] | None:
        """The item as it was and its URL, or None."""
        with self._lock:
            return self._known.get(key)

    def keep(self, key: Key, item: DriveItem) -> None:
        """Remember the URL that came with `item`, if one came."""
        if item.download_url:
            with self._lock:
                self._known[key] = (item, item.download_url)

    def drop(self, key: Key) -> None:
        """The item changed, or the URL stopped working."""
        with self._lock:
            self._known.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._known.clear()
