"""Short ranges that follow each other: a media player's, or a program's that reads a large file piece by piece.

From the third one on Microsoft is asked for more than the client wants now, and what has not been read of the answer
waits, as an open response and without memory of ours, for the range that begins where this one ends. It is there at
once, without another request. A response that nobody goes on with is closed after some seconds.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from cachetools import TTLCache

from davbridge.clock import Clock
from davbridge.drivers.protocol import Item, Span
from davbridge.errors import BridgeError
from davbridge.graph.downloads import ContentStream
from davbridge.mirror.keys import Key

SHORT = 4 << 20
"""Bytes up to which a range is a piece of a sequence, and no download by itself."""
_LEAST, _MOST = 2 << 20, 16 << 20
_KNOWN = 2
"""Ranges that must have followed each other before."""
_REMEMBERED_SECONDS = 30.0
_PARKED_SECONDS = 5.0
_MOST_PARKED = 8
_FIRST = 64 << 10

Version = tuple[Key, str]
"""What is read: the content's key and its DAV tag."""


class Sequences:
    """What was read last of each file, and the responses that wait. Thread-safe; for one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last: TTLCache[Version, tuple[int, int]] = TTLCache(1000, _REMEMBERED_SECONDS, clock.monotonic)
        self._parked: OrderedDict[tuple[Version, int], tuple[float, ContentStream]] = OrderedDict()
        self._timer: threading.Timer | None = None

    def widened(self, version: Version, span: Span | None) -> Span | None:
        """The range to ask Microsoft for when `span` is wanted of a version."""
        if not is_short(span) or span is None or span.end is None:
            return span
        with self._lock:
            end, count = self._last.get(version, (-1, 0))
            count = count + 1 if end == span.start else 0
            self._last[version] = (span.end, count)
        if count < _KNOWN:
            return span
        more = min(max(16 * (span.end - span.start), _LEAST), _MOST)
        return Span(span.start, span.end + more)

    def park(self, version: Version, stream: ContentStream) -> None:
        """Let the rest of a response wait for whoever goes on with it."""
        old = []
        with self._lock:
            key = (version, stream.position)
            if key in self._parked:
                old.append(self._parked.pop(key)[1])
            self._parked[key] = (self._clock.monotonic() + _PARKED_SECONDS, stream)
            while len(self._parked) > _MOST_PARKED:
                old.append(self._parked.popitem(last=False)[1][1])
            self._watch()
        for stream_ in old:
            stream_.close()

    def take(self, version: Version, position: int) -> ContentStream | None:
        """The response that goes on at `position`."""
        with self._lock:
            parked = self._parked.pop((version, position), None)
        return parked[1] if parked else None

    def close_old(self) -> None:
        """Close what has waited too long."""
        with self._lock:
            now = self._clock.monotonic()
            old = [key for key, (until, _) in self._parked.items() if until <= now]
            streams = [self._parked.pop(key)[1] for key in old]
            self._timer = None
            self._watch()
        for stream in streams:
            stream.close()

    def clear(self) -> None:
        """Close everything."""
        with self._lock:
            streams = [stream for _, stream in self._parked.values()]
            self._parked.clear()
            self._last.clear()
        for stream in streams:
            stream.close()

    def _watch(self) -> None:
        if self._parked and self._timer is None:
            self._timer = threading.Timer(1.0, self.close_old)
            self._timer.daemon = True
            self._timer.start()


def is_short(span: Span | None) -> bool:
    """Whether a range may be a piece of a sequence."""
    return span is not None and span.end is not None and 0 < span.end - span.start <= SHORT


class SequentialDownload:
    """`protocol.Download` of a range, out of a response that is longer."""

    def __init__(self, item: Item, span: Span, stream: ContentStream, sequences: Sequences, version: Version) -> None:
        self.item = item
        self.start, self.total = span.start, stream.total
        end = stream.total if span.end is None else min(span.end, stream.total)
        self.length = end - span.start
        self._left = self.length
        self._stream: ContentStream | None = stream
        self._sequences = sequences
        self._version = version
        self._first = b""

    def has_begun(self) -> bool:
        """Read the first bytes. False, and closed, when the response has gone bad while it waited."""
        try:
            self._first = self.read(_FIRST)
        except BridgeError:
            self._left = -1
            self.close()
            return False
        self._left += len(self._first)
        return True

    def read(self, size: int = 1 << 16) -> bytes:
        """As the protocol says."""
        size = min(size, self._left)
        if size <= 0 or self._stream is None:
            return b""
        if self._first:
            data, self._first = self._first[:size], self._first[size:]
        else:
            data = self._stream.read(size)
        self._left -= len(data)
        return data

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is None:
            return
        if self._left == 0 and stream.position < stream.start + stream.length:
            self._sequences.park(self._version, stream)
        else:
            stream.close()

    def __enter__(self) -> SequentialDownload:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
