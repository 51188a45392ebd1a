"""A download that is served from the content cache as far as that goes, and fills it with what Microsoft sends.

Which version is asked for has been decided by then, from the mirror or from Graph, as for every download; so have the
user's rights. Blocks are read whole: a range that is not kept is asked for from the beginning of its first block to the
end of its last.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Protocol

from davbridge.cache import BLOCK, Filler
from davbridge.drivers.protocol import Item, Span
from davbridge.errors import BridgeError, DownloadBroken
from davbridge.graph.model import DriveItem
from davbridge.mirror.keys import own_key


class Stream(Protocol):
    """What Microsoft sends: of `[start, start + length)`."""

    start: int
    length: int
    total: int
    etag: str

    def read(self, size: int) -> bytes:
        """Raises: DownloadBroken."""

    def close(self) -> None: ...


def version_key(item: DriveItem) -> str | None:
    """What a content is kept under: the item and its cTag. None: it cannot be told from another (a shortcut, §2.9)."""
    if item.remote or not item.ctag or not item.size:
        return None
    text = "\n".join((*own_key(item), item.ctag))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def whole_blocks(span: Span | None) -> Span | None:
    """The range that has all blocks of which `span` has something."""
    if span is None:
        return None
    return Span(span.start // BLOCK * BLOCK, None if span.end is None else -(-span.end // BLOCK) * BLOCK)


class Source(Protocol):
    """Where the bytes of one version come from, and where they are kept."""

    def block(self, number: int) -> bytes | None:
        """One that is kept."""

    def rest(self, position: int) -> Stream:
        """The version at Microsoft, from a block's beginning on. Raises: DownloadBroken, and as `Driver.open`."""

    def filler(self, position: int) -> Filler | None:
        """Takes what is fetched, from a block's beginning on; None when it is not certain which version that is."""


class KeptDownload:
    """`protocol.Download` of one version: `item`'s, of `total` bytes."""

    def __init__(self, item: Item, span: Span | None, total: int, source: Source) -> None:
        self.item = item
        self.start, self.total = (span.start if span else 0), total
        self._position = self.start
        self._end = total if span is None or span.end is None else min(span.end, total)
        self.length = self._end - self.start
        self._source = source
        self._block: tuple[int, bytes] | None = None
        self._stream: Stream | None = None
        self._filler: Filler | None = None
        self._fetched = 0

    def take(self, stream: Stream) -> KeptDownload:
        """Go on with what Microsoft sends."""
        self._stream, self._fetched = stream, stream.start
        self._filler = self._source.filler(stream.start)
        return self

    def find(self) -> bool:
        """Whether the first block is kept."""
        return self._look(self._position // BLOCK)

    def _look(self, number: int) -> bool:
        data = self._source.block(number)
        if data is None or len(data) != min(BLOCK, self.total - number * BLOCK):
            return False
        self._block = (number, data)
        return True

    def read(self, size: int = 1 << 16) -> bytes:
        """As the protocol says."""
        size = min(size, self._end - self._position)
        if size <= 0:
            return b""
        data = self._from_disk(size) if self._stream is None else None
        if data is None:
            data = self._from_stream(size)
        self._position += len(data)
        return data

    def _from_disk(self, size: int) -> bytes | None:
        number, offset = divmod(self._position, BLOCK)
        if (self._block is None or self._block[0] != number) and not self._look(number):
            self.take(self._source.rest(number * BLOCK))
        elif self._block is not None:
            return self._block[1][offset : offset + size]
        return None

    def _from_stream(self, size: int) -> bytes:
        while True:
            begin = self._fetched
            data = self._fetch(size)
            wanted = data[max(0, self._position - begin) : max(0, self._end - begin)]
            if wanted:
                return wanted

    def _fetch(self, size: int) -> bytes:
        assert self._stream is not None  # noqa: S101 - the callers have looked
        data = self._stream.read(size)
        if not data:
            raise DownloadBroken("the download ended early")
        self._fetched += len(data)
        if self._filler is not None:
            self._filler.write(data)
            if self._fetched >= self._stream.start + self._stream.length:
                # before the client has its last byte, and comes again
                self._filler.close()
        return data

    def close(self) -> None:
        if self._stream is None:
            return
        stream, filler = self._stream, self._filler
        try:
            if self._position == self._end:
                # the rest of the last block: less than one, and on its way already
                with suppress(BridgeError):
                    while self._fetched < stream.start + stream.length:
                        self._fetch(BLOCK)
        finally:
            self._stream = None
            stream.close()
            if filler is not None:
                filler.close()

    def __enter__(self) -> KeptDownload:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
