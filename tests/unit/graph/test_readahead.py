"""What parallel read-ahead holds, and for how long, with a service that is made up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from davbridge import deadline
from davbridge.clock import ManualClock
from davbridge.errors import DownloadBroken
from davbridge.graph.client import Graph
from davbridge.graph.downloads import open_download
from davbridge.graph.readahead import PART, ParallelStream, ReadAhead
from davbridge.redact import Secret
from davbridge.transport import Reply

TOTAL = 12 * PART


class Body:
    """Zeros at 20 MB/s; the bytes behind `stalls_at` never come."""

    def __init__(self, start: int, end: int, stalls_at: int) -> None:
        self._position, self._end, self._stalls_at = start, end, stalls_at
        self.aborted = threading.Event()

    def read(self, size: int) -> bytes:
        if self._position >= self._stalls_at:
            assert self.aborted.wait(30)
            return b""
        size = min(size, self._end - self._position)
        time.sleep(size / 2e7)
        self._position += size
        return bytes(size)

    def close(self) -> None:
        """Nothing is open."""

    def abort(self) -> None:
        self.aborted.set()


class Service:
    """What `Graph.direct` and `Graph.clock` are to a download."""

    def __init__(self, clock: ManualClock, stalls_at: int = TOTAL + 1) -> None:
        self.clock = clock
        self.stalls_at = stalls_at
        self.bodies: list[Body] = []

    def direct(self, method: str, url: Secret, *, headers: dict[str, str], **options: Any) -> Reply:
        start, _, last = headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        end = int(last) + 1 if last else TOTAL
        # the first request, for everything, stalls nowhere
        self.bodies.append(Body(int(start), end, self.stalls_at if self.bodies else TOTAL + 1))
        fields = {"content-range": f"bytes {start}-{end - 1}/{TOTAL}", "etag": '"1"'}
        return Reply(206, fields, stream=self.bodies[-1])


@pytest.fixture
def ahead() -> Iterator[ReadAhead]:
    """Room for eight parts."""
    ahead = ReadAhead(8 * PART)
    yield ahead
    ahead.close()


def opened(service: Service, ahead: ReadAhead) -> ParallelStream:
    """A download of everything."""
    stream = ahead.stream(open_download(cast(Graph, service), Secret("https://x"), start=0, end=TOTAL))
    assert isinstance(stream, ParallelStream)
    return stream


def drain(stream: ParallelStream) -> int:
    """Read to the end; the number of bytes."""
    return sum(map(len, iter(lambda: stream.read(1 << 18), b"")))


def test_memory_has_a_bound(ahead: ReadAhead) -> None:
    """Several downloads share what there is, and nobody goes beyond it."""
    service = Service(ManualClock())
    streams = [opened(service, ahead) for _ in range(2)]
    most = 0
    given = [0, 0]
    while sum(given) < 2 * TOTAL:
        for number, stream in enumerate(streams):
            given[number] += len(stream.read(1 << 18))
            most = max(most, ahead.taken)
    assert given == [TOTAL, TOTAL]
    assert PART < most <= 8 * PART
    for stream in streams:
        stream.close()
    assert ahead.taken == 0


def test_a_part_that_stalls(ahead: ReadAhead) -> None:
    """The reader is free at its deadline, and what the other threads read is given up with it."""
    clock = ManualClock()
    service = Service(clock, stalls_at=3 * PART)
    stream = opened(service, ahead)
    threading.Timer(1.5, clock.advance, [100.0]).start()
    with deadline.within(clock, 25.0), pytest.raises(DownloadBroken):
        drain(stream)
    stream.close()
    assert ahead.taken == 0
    stalled = [body for body in service.bodies[1:] if body._position >= 3 * PART and body._position < body._end]
    assert stalled
    assert all(body.aborted.wait(5) for body in stalled)


def test_a_connection_that_hangs(ahead: ReadAhead) -> None:
    """One of several that hangs for ten seconds is left, and the rest is asked for again."""
    clock = ManualClock()
    service = Service(clock, stalls_at=3 * PART)
    stream = opened(service, ahead)

    def mend() -> None:
        service.stalls_at = TOTAL + 1
        clock.advance(12.0)

    threading.Timer(1.5, mend).start()
    with deadline.within(clock, 25.0):
        assert drain(stream) == TOTAL
    stream.close()
    assert ahead.taken == 0


def test_closing(ahead: ReadAhead) -> None:
    """A thread that waits for bytes is told that nobody wants them."""
    service = Service(ManualClock(), stalls_at=2 * PART)
    stream = opened(service, ahead)
    while ahead.taken == 0:
        stream.read(1 << 18)
    stream.close()
    stream.close()
    assert ahead.taken == 0
    begin = time.monotonic()
    ahead.close()
    assert time.monotonic() - begin < 5


def test_few_bytes(ahead: ReadAhead) -> None:
    """A short download is left as it is."""
    first = open_download(cast(Graph, Service(ManualClock())), Secret("https://x"), start=0, end=PART)
    assert ahead.stream(first) is first


def test_no_room() -> None:
    """With memory for less than two parts there is one connection."""
    small = ReadAhead(PART)
    first = open_download(cast(Graph, Service(ManualClock())), Secret("https://x"), start=0, end=TOTAL)
    assert small.stream(first) is first
    small.close()
