"""Parallel read-ahead: a large download is read over several connections at a time, in order and in bounded memory.

It begins as one request for all of it, as every download, and stays that where the line is fast. Where one connection
is what everybody waits for, the request is read up to a point only, and the parts behind it are fetched by threads of
a pool that all downloads of the process share. Each part is of the version that the download began with, or the
download breaks. A part that is fetched holds memory, and no thread and no connection.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from davbridge import caller, deadline
from davbridge.clock import Clock
from davbridge.errors import BridgeError, DownloadBroken
from davbridge.graph.downloads import ContentStream, VersionChanged, open_part
from davbridge.graph.window import Sample, Window

PART = 4 << 20
"""Bytes that one request of several asks for."""
_SAMPLE = 2 << 20
"""Bytes after which a single connection is judged."""
_BLOCK = 256 << 10
_LARGEST_WINDOW = 8
_FALLBACKS = 3
_STALL_SECONDS = 10.0
"""Without a byte of the part that is next: one connection of several hangs, and another may do better."""


class ReadAhead:
    """The threads and the memory that all downloads of this process have together; `memory` in bytes."""

    def __init__(self, memory: int) -> None:
        self._parts = memory // PART
        # some threads may still wait for an answer that nobody wants any more
        self._pool = ThreadPoolExecutor(max(1, 2 * self._parts), thread_name_prefix="read-ahead")
        self._lock = threading.Lock()
        self._taken = 0
        self._downloads = 0

    def stream(self, first: ContentStream) -> ContentStream | ParallelStream:
        """The same bytes as `first` gives; as it is, when there are too few of them."""
        if first.length < _SAMPLE + 2 * PART or not first.etag or self._parts < 2:
            return first
        return ParallelStream(first, self)

    @property
    def taken(self) -> int:
        """Bytes of memory that are promised to parts."""
        return self._taken * PART

    def close(self) -> None:
        """Wait for the threads."""
        self._pool.shutdown(cancel_futures=True)

    def join(self) -> None:
        """A download that may want parts begins."""
        with self._lock:
            self._downloads += 1

    def leave(self) -> None:
        with self._lock:
            self._downloads -= 1

    @property
    def share(self) -> int:
        """For how many parts one download has room, when all get the same."""
        return min(_LARGEST_WINDOW, self._parts // max(1, self._downloads))

    def take(self) -> bool:
        """Memory for one part, if there is any left."""
        with self._lock:
            if self._taken >= self._parts:
                return False
            self._taken += 1
            return True

    def give_back(self) -> None:
        with self._lock:
            self._taken -= 1

    def run(self, work: Callable[[], None]) -> Future[None]:
        return self._pool.submit(work)


class _Part:
    """`[start, end)`, fetched by a thread of the pool; its blocks can be taken as soon as they come."""

    def __init__(self, version: ContentStream, start: int, end: int, ahead: ReadAhead) -> None:
        self._version = version
        self._clock: Clock = version.address.graph.clock
        self._start, self._end = start, end
        self._ahead = ahead
        self._caller = caller.current()
        self._blocks: deque[bytes] = deque()
        self._news = threading.Condition()
        self._stream: ContentStream | None = None
        self._error: BridgeError | None = None
        self._is_closed = False
        self._future = ahead.run(self._fetch)

    def _fetch(self) -> None:
        try:
            with caller.acting_for(self._caller), deadline.within(self._clock, deadline.READ_SECONDS):
                stream = open_part(self._version, self._start, self._end)
                with self._news:
                    self._stream = stream
                try:
                    while not self._is_closed and (block := stream.read(_BLOCK)):
                        with self._news:
                            if not self._is_closed:
                                self._blocks.append(block)
                            self._news.notify()
                finally:
                    with self._news:
                        self._stream = None
                    stream.close()
        except BridgeError as error:
            self._fail(error)
        except BaseException:
            self._fail(DownloadBroken("the download failed"))
            raise

    def _fail(self, error: BridgeError) -> None:
        with self._news:
            self._error = error
            self._news.notify()

    def next(self) -> bytes:
        """The next block; to be asked for until all bytes have come. Raises: what befell the fetching thread."""
        current = deadline.current(self._clock)
        stalled = self._clock.monotonic() + _STALL_SECONDS
        with self._news:
            while not self._blocks:
                if self._error is not None:
                    raise self._error
                left = min(current.remaining(), stalled - self._clock.monotonic())
                if left <= 0:
                    raise DownloadBroken("the rest of the download did not come in time")
                self._news.wait(min(left, 1.0))
            current.extend()
            return self._blocks.popleft()

    def close(self) -> None:
        """Let go of memory, thread and connection, however far it is."""
        self._future.cancel()
        with self._news:
            self._is_closed = True
            self._blocks.clear()
            if self._stream is not None:
                self._stream.abort()
        self._ahead.give_back()


class ParallelStream:
    """As `ContentStream`, read over as many connections as are of use. Not thread-safe, as that."""

    def __init__(self, first: ContentStream, ahead: ReadAhead) -> None:
        self.start, self.length, self.total, self.etag = first.start, first.length, first.total, first.etag
        self._version = first
        self._ahead = ahead
        self._window = Window()
        self._single: ContentStream | None = first
        self._parts: deque[_Part] = deque()
        self._position = first.start
        self._end = first.start + first.length
        self._head_end = self._end
        self._asked = self._end
        """Up to where something has been asked for."""
        self._rest = b""
        self._fallbacks = 0
        self._sample = Sample()
        self._began = (time.monotonic(), time.process_time())
        self._is_closed = False
        ahead.join()

    def read(self, size: int) -> bytes:
        """As `ContentStream.read`."""
        if self._position >= self._end:
            return b""
        if self._position >= self._head_end:
            self._advance()
        begin = time.monotonic()
        data = self._take(min(size, self._head_end - self._position))
        self._sample.waited += time.monotonic() - begin
        self._sample.size += len(data)
        self._position += len(data)
        if self._position >= self._head_end or (self._is_single and self._sample.size >= _SAMPLE):
            self._judge()
        return data

    def close(self) -> None:
        """Free threads, connections and memory at once."""
        if not self._is_closed:
            self._is_closed = True
            self._drop_parts()
            if self._single is not None:
                self._single.close()
            self._ahead.leave()

    @property
    def _is_single(self) -> bool:
        """Whether one request is all there is, up to the end."""
        return self._single is not None and self._head_end == self._end

    def _take(self, size: int) -> bytes:
        while True:
            try:
                if self._single is not None:
                    return self._single.read(size)
                data = self._rest or self._parts[0].next()
            except VersionChanged:
                raise
            except BridgeError as error:
                if self._single is not None:
                    raise
                self._fall_back(error)
                continue
            self._rest = data[size:]
            return data[:size] if self._rest else data

    def _judge(self) -> None:
        """A part, or a sample of the single request, has been given: more at a time, or fewer?"""
        now = (time.monotonic(), time.process_time())
        self._sample.elapsed, self._sample.cpu = now[0] - self._began[0], now[1] - self._began[1]
        self._window.note(self._sample, self._ahead.share)
        self._sample, self._began = Sample(), now
        if self._is_single and self._window.size > 1 and self._end - self._position >= 2 * PART:
            # the request that runs is read for one more part, and then left
            self._head_end = self._asked = self._position + PART
            self._ask()

    def _advance(self) -> None:
        """What came first has been given whole: on to the next part."""
        if self._single is not None:
            self._single.close()
            self._single = None
        else:
            self._parts.popleft().close()
        self._ask()
        if self._parts:
            self._head_end = min(self._position + PART, self._end)
        else:
            self._alone()

    def _ask(self) -> None:
        """Ask for as many parts as the window has room for."""
        running = len(self._parts) + (self._single is not None)
        while running < self._window.size and self._window.size > 1 and self._asked < self._end and self._ahead.take():
            end = min(self._asked + PART, self._end)
            self._parts.append(_Part(self._version, self._asked, end, self._ahead))
            self._asked = end
            running += 1

    def _alone(self, *, skip: bool = False) -> None:
        """The rest by one request, as at the beginning. Raises: DownloadBroken."""
        try:
            self._single = open_part(self._version, self._position, self._end, skip=skip)
        except DownloadBroken:
            raise
        except BridgeError as error:
            raise DownloadBroken("the rest of the download could not be asked for") from error
        self._head_end = self._asked = self._end

    def _fall_back(self, error: BridgeError) -> None:
        """A part has failed for good: try it alone, and do not try the service's patience again."""
        late = deadline.current(self._version.address.graph.clock).remaining() <= 0
        if late or self._fallbacks >= _FALLBACKS:
            raise DownloadBroken("the download ended early") from error
        self._fallbacks += 1
        self._drop_parts()
        self._window.give_up()
        self._alone(skip=True)

    def _drop_parts(self) -> None:
        self._rest = b""
        while self._parts:
            self._parts.pop().close()
