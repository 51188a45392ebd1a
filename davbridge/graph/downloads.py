"""Downloads from pre-authenticated URLs (facts: Graph §2.7), checked to the last byte."""

from __future__ import annotations

import re
import threading
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
_DEAD = (401, 403, 404, 410)


class UrlExpired(BridgeError):
    """The pre-authenticated URL is no longer good: ask Graph for another. `cause`: what it means for a fresh one."""

    def __init__(self, message: str, cause: BridgeError) -> None:
        super().__init__(message)
        self.cause = cause


class VersionChanged(DownloadBroken):
    """The rest of the version that was begun with is not there any more: asking again will not help."""


class ContentAddress:
    """The URL of one file's content, for all threads that read it: when it has died, one gets a new one for all."""

    def __init__(self, graph: Graph, url: Secret, renew: Callable[[], Secret] | None) -> None:
        self.graph = graph
        self._url = url
        self._renew = renew
        self._lock = threading.Lock()

    def request(self, start: int, end: int) -> Reply:
        """The answer to a request for `[start, end)`, whatever its status, from a fresh URL if need be.

        Raises: as `Transport.send`, and what `renew` raises.
        """
        url = self._url
        reply = self._get(url, start, end)
        if reply.status in _DEAD and self._renew is not None:
            reply.close()
            reply = self._get(self._other_than(url), start, end)
        return reply

    def _other_than(self, dead: Secret) -> Secret:
        with self._lock:
            if self._url == dead and self._renew is not None:
                self._url = self._renew()
            return self._url

    def _get(self, url: Secret, start: int, end: int) -> Reply:
        headers = {"Range": f"bytes={start}-{end - 1}"}
        return self.graph.direct("GET", url, headers=headers, stream=True, safe=True)


class ContentStream:
    """The bytes of one version, or of a range of it.

    `start` and `length` are those of what will be read, `total` the size of the whole; all from the answer itself,
    since metadata may be wrong about the size (§12.1). A break is mended by asking for the rest of the same version.
    """

    def __init__(self, address: ContentAddress, reply: Reply, start: int) -> None:
        assert reply.stream is not None  # noqa: S101 - it was asked for
        self.address = address
        self._stream: Stream = reply.stream
        self._resumes = 0
        self._is_aborted = False
        self.etag = reply.headers.get("etag", "")
        self.start, self.length, self.total = start, 0, 0
        self._given = 0

    @property
    def position(self) -> int:
        """The offset in the file of the next byte."""
        return self.start + self._given

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
                deadline.current(self.address.graph.clock).extend()
                return data
            self._resume(None)

    def _resume(self, error: Exception | None) -> None:
        """Ask for the rest; the ETag must be the one that we began with."""
        self.close()
        if self._resumes >= _RESUMES or not self.etag or self._is_aborted:
            raise DownloadBroken("the download ended early") from error
        self._resumes += 1
        try:
            reply = self.address.request(self.position, self.start + self.length)
        except BridgeError as failed:
            raise DownloadBroken("the download ended early and could not be resumed") from failed
        self._stream, first = _same_version(reply, self.etag, self.total)
        if self._is_aborted:
            self.close()
            raise DownloadBroken("nobody wants the rest of the download")
        self.skip(self.position - first)

    def skip(self, count: int) -> None:
        """Read and forget: for a server that ignores Range (§2.7). Raises: DownloadBroken, BadUpstream."""
        if count < 0:
            raise DownloadBroken("the rest of the download begins behind what was asked for")
        while count > 0:
            data = self._stream.read(min(count, _SKIP))
            if not data:
                raise DownloadBroken("the download ended early")
            count -= len(data)

    def close(self) -> None:
        self._stream.close()

    def abort(self) -> None:
        """Let a `read` of another thread end at once. That thread closes."""
        self._is_aborted = True
        self._stream.abort()


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
    if reply.status in _DEAD:
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
        return _placed(ContentAddress(graph, url, reopen), reply, start, end, where)
    except BaseException:
        reply.close()
        raise


def open_part(version: ContentStream, start: int, end: int, *, skip: bool = False) -> ContentStream:
    """`[start, end)` of the version that a stream was opened for, by a request of its own.

    `skip`: a server that ignores Range will do, too: what is in front is read and forgotten.

    Raises:
        VersionChanged: it is not there any more.
        Busy, BadUpstream, and what getting a new URL raises.
    """
    reply = version.address.request(start, end)
    if reply.status in _DEAD:
        raise failure(reply)
    first = _same_version(reply, version.etag, version.total)[1]
    if first > start or (first < start and not skip):
        reply.close()
        raise BadUpstream("Microsoft's storage gave another range than the one asked for")
    part = ContentStream(version.address, reply, start)
    part.length, part.total = end - start, version.total
    try:
        part.skip(start - first)
    except BaseException:
        part.close()
        raise
    return part


def _same_version(reply: Reply, etag: str, total: int) -> tuple[Stream, int]:
    """The body of an answer, and where in the version it begins. Raises: VersionChanged."""
    where = _range_of(reply)
    if reply.stream is None or reply.headers.get("etag", "") != etag or where is None or where[2] != total:
        reply.close()
        raise VersionChanged("the file changed while it was downloaded")
    return reply.stream, where[0]


def _placed(
    address: ContentAddress, reply: Reply, start: int, end: int | None, where: tuple[int, int, int]
) -> ContentStream:
    first, last, total = where
    stream = ContentStream(address, reply, start)
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
