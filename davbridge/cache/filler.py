"""Cuts a stream of bytes into blocks and hands them to the cache."""

from __future__ import annotations

from davbridge.cache.contents import BLOCK, ContentCache, Entry, Written

_AT_ONCE = 8
"""Blocks that come into the index with one transaction."""


class Filler:
    """Takes the bytes of one version in order, from `start` (a multiple of `BLOCK`) on. Never raises.

    `version` None: it is known at the end only (`keep`), as with an upload, and until then nothing can be found.
    """

    def __init__(self, cache: ContentCache, start: int, total: int, version: str | None = None, etag: str = "") -> None:
        self._cache = cache
        self._start = self._position = start
        self._total = total
        self._version = version
        self._etag = etag
        self._rest = bytearray()
        self._blocks: list[Written] = []

    def write(self, data: bytes) -> None:
        """The next bytes."""
        self._rest += data
        self._position += len(data)
        while len(self._rest) >= BLOCK:
            self._put(bytes(self._rest[:BLOCK]), self._position - len(self._rest))
            del self._rest[:BLOCK]
        if self._rest and self._position == self._total:
            self._put(bytes(self._rest), self._position - len(self._rest))
            self._rest.clear()

    def restart(self) -> None:
        """The bytes come again, from `start` on."""
        self.close()
        self._rest.clear()
        self._position = self._start

    def keep(self, version: str, etag: str) -> None:
        """The version that the bytes are; nothing was found until now."""
        self._version, self._etag = version, etag
        self.close()

    def close(self) -> None:
        """No more will come. What is no whole block is forgotten, and all of it without a version."""
        if self._version is None:
            self._cache.discard(self._blocks)
        elif self._blocks:
            self._cache.keep(self._version, Entry(self._etag, self._total), self._blocks)
        self._blocks = []

    def _put(self, data: bytes, start: int) -> None:
        block = self._cache.write(start // BLOCK, data)
        if block is not None:
            self._blocks.append(block)
        if self._version is not None and len(self._blocks) >= _AT_ONCE:
            self.close()
