"""Downloads from pre-authenticated URLs (facts: Graph §2.7), checked to the last byte."""

from __future__ import annotations

import re
from collections.abc import Callable

from davbridge import deadline
from davbridge.errors import BadUpstream, BridgeError, DownloadBroken, RangeNotSatisfiable
from davbridge.graph.client import Graph
from davbridge.graph.failures import failure, raise_for
from davbridge.redact import Secret
from davbridge.transport import Reply
from davbridge.transport.message import Stream

_RESUMES = 3
_SKIP = 1 << 16


class UrlExpired(BridgeError):
    """The pre-authenticated URL is no longer good: ask Graph for another. `cause`: what it means for a fresh one."""

    def __init__(self, message: str, cause: BridgeError) -> None:
        super().__init__(message)
        self.cause = cause


class ContentStream:
    """The bytes of one version, or of a range of it.

    `start` and `length` are those of what will be read, `total` the size of the whole; all from the answer itself,
    since metadata may be wrong about the size (§12.1). A break is mended by asking for the rest of the same version.
    """

    def __init__(
        self, graph: Graph, reply: Reply, url: Secret, start: int, reopen: Callable[[], Secret] | None
    ) -> None:
        assert reply.stream is not None  # noqa: S101 - it was asked for
        self._graph = graph
        self._stream: Stream = reply.stream
        self._url = url
        self._reopen = reopen
        self._resumes = 0
        self.etag = reply.headers.get("etag", "")
        self.start, self.length, self.total = start, 0, 0
        self._given = 0

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; empty exactly when `length` bytes were given.

        Raises:
            DownloadBroken: the bytes ended early, or the version changed, and resuming did not help.
        """
        while True:
            wanted = min(size, self.length - self._given)
            if wanted <= 0:
                return b""
            try:
                data = self._stream.read(wanted)
            except BadUpstream as error:
                self._resume(error)
                continue
            if data:
                self._given += len(data)
                deadline.current(self._graph.clock).extend()
                return data
            self._resume(None)

    def _resume(self, error: Exception | None) -> None:
        """Ask for the rest; the ETag must be the one that we began with."""
        self.close()
        if self._resumes >= _RESUMES or not self.etag:
            raise DownloadBroken("the download ended early") from error
        self._resumes += 1
        position = self.start + self._given
        try:
            reply = self._request(self._url, position)
            if reply.status in (401, 403, 404, 410) and self._reopen is not None:
                reply.close()
                self._url = self._reopen()
                reply = self._request(self._url, position)
        except BridgeError as failed:
            raise DownloadBroken("the download ended early and could not be resumed") from failed
        where = _range_of(reply)
        same = reply.headers.get("etag", "") == self.etag
        if reply.stream is None or not same or where is None or where[0] != position or where[2] != self.total:
            reply.close()
            raise DownloadBroken("the file changed while it was downloaded")
        self._stream = reply.stream

    def _request(self, url: Secret, position: int) -> Reply:
        headers = {"Range": f"bytes={position}-{self.start + self.length - 1}"}
        return self._graph.direct("GET", url, headers=headers, stream=True, safe=True)

    def skip(self, count: int) -> None:
        """Read and forget: for a server that ignores Range (§2.7)."""
        while count > 0:
            data = self._stream.read(min(count, _SKIP))
            if not data:
                raise DownloadBroken("the download ended early")
            count -= len(data)

    def close(self) -> None:
        self._stream.close()


def open_download(
    graph: Graph, url: Secret, *, start: int = 0, end: int | None = None, reopen: Callable[[], Secret] | None = None
) -> ContentStream:
    """Start a download of `[start, end)`; `end` None means to the end. `reopen` gives a fresh URL for a resume.

    Raises:
        UrlExpired: the URL is too old. RangeNotSatisfiable: `start` is at or behind the end.
        Forbidden, BadUpstream, Busy.
    """
    headers = {}
    if start or end is not None:
        headers["Range"] = f"bytes={start}-" + (str(end - 1) if end is not None else "")
    reply = graph.direct("GET", url, headers=headers, stream=True, safe=True)
    if reply.status in (401, 403, 404, 410):
        raise UrlExpired("the download URL has expired", failure(reply))
    if reply.status == 416:
        size = re.search(r"/(\d+)$", reply.headers.get("content-range", ""))
        raise RangeNotSatisfiable("the range starts behind the end", int(size[1]) if size else start)
    raise_for(reply)
    where = _range_of(reply)
    if reply.stream is None or where is None:
        reply.close()
        raise BadUpstream("Microsoft's storage did not say how long the download is")
    try:
        return _placed(graph, reply, url, start, end, where, reopen)
    except BaseException:
        reply.close()
        raise


def _placed(
    graph: Graph,
    reply: Reply,
    url: Secret,
    start: int,
    end: int | None,
    where: tuple[int, int, int],
    reopen: Callable[[], Secret] | None,
) -> ContentStream:
    first, last, total = where
    stream = ContentStream(graph, reply, url, start, reopen)
    stream.total = total
    if start >= total and start > 0:
        raise RangeNotSatisfiable("the range starts behind the end", total)
    stop = total if end is None else min(end, total)
    if first > start or last < stop:
        raise BadUpstream("Microsoft's storage gave another range than the one asked for")
    stream.skip(start - first)
    stream.length = stop - start
    return stream


def _range_of(reply: Reply) -> tuple[int, int, int] | None:
    """First byte, end (exclusive) and total of an answer; None when it does not say."""
    if reply.status == 206:
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", reply.headers.get("content-range", ""))
        return (int(found[1]), int(found[2]) + 1, int(found[3])) if found else None
    length = reply.headers.get("content-length", "")
    return (0, int(length), int(length)) if reply.status == 200 and length.isdigit() else None
