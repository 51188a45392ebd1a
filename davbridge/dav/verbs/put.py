"""PUT (RFC 9110 §9.3.4, RFC 4918 §9.7): the answer comes after the commit, with the new ETag (law 1).

A known length streams into the driver without touching the disk; an unknown one goes through a spool.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

from davbridge import deadline
from davbridge.body import Body
from davbridge.clock import Clock
from davbridge.dav.conditions import check_if, check_preconditions, exact_match, require_unlocked
from davbridge.dav.dates import http_date, parse_date
from davbridge.dav.message import Headers, Request, Response
from davbridge.dav.refusal import Refusal
from davbridge.dav.spool import spooled
from davbridge.drivers.overlay import Reserves
from davbridge.drivers.protocol import Item, NeedsAccount, Times, Written
from davbridge.errors import BodyTruncated, BridgeError, NotFound, QuotaExceeded, Unsupported

_LARGE = 4 * 2**20
"""Bytes from which on a look at the quota is worth its call."""
# they always send an empty PUT before the content (clients §2 rule 7); other clients mean an empty file by it
_EMPTY_FIRST = re.compile(r"MiniRedir|^WebDAVFS|RaiDrive")


def handle(request: Request) -> Response:
    """201 for a new file, 204 for a replaced one."""
    if request.header("Content-Range"):
        # a part that is taken for the whole destroys a file (RFC 9110 §14.4); Cyberduck's resume sends it
        raise Refusal(400, "a part of a file cannot be stored; send the whole", headers=[("Connection", "close")])
    if request.path.is_root or request.prefix.endswith("/"):
        raise Refusal(405, "this is the URL of a folder", headers=[("Connection", "close")])
    ready = prepare(request)
    with _body(request) as body:
        if _is_placeholder(request, body):
            return _reserve(request)
        written = store(request, body, ready)
    return response(written, ready)


@dataclass(frozen=True)
class Ready:
    """An upload that nothing forbids: what the driver is to check as it writes, and the times to store."""

    if_match: str | None
    if_absent: bool
    times: Times | None


def prepare(request: Request, *, replace: bool = True) -> Ready:
    """Refuse what can be refused before the content is read. Not `replace`: the name must be free.

    Raises:
        Refusal: 412, 423. NeedsSignIn, Busy and their like.
    """
    check_if(request)
    table, mount = request.shared.locks, request.mount.name
    if table.any(mount):
        # whether the name is new matters only under a lock on the folder itself (RFC 4918 §7.4)
        member = bool(table.own(mount, request.path.parent)) and _stat(request) is None
        require_unlocked(request, request.path, member=member)
    if_match, if_absent = _preconditions(request)
    if not replace and if_match is not None:
        raise Refusal(412, "the target cannot be both there and free")
    times = _times(request)
    if isinstance(request.driver, NeedsAccount):
        # a large upload must not be read, nor a chunked one spooled, for a sign-in that has ended
        request.driver.require_account(request.path)
    return Ready(if_match, if_absent or not replace, times)


def store(request: Request, body: Body, ready: Ready) -> Written:
    """Write it, whole or not at all. Raises: as `Driver.put`."""
    try:
        return request.driver.put(
            request.path, body, if_match=ready.if_match, if_absent=ready.if_absent, times=ready.times
        )
    except Unsupported as error:
        raise Refusal(405, str(error)) from error


def response(written: Written, ready: Ready) -> Response:
    """201 for a new file, 204 for a replaced one, with its tag."""
    headers: Headers = [("ETag", f'"{written.item.etag}"'), ("Last-Modified", http_date(written.item.modified))]
    if ready.times:
        headers.append(("X-OC-Mtime", "accepted"))
    return Response(201 if written.created else 204, headers)


def _is_placeholder(request: Request, body: Body) -> bool:
    """Whether this is the empty upload before the content, of a name that is free."""
    if body.length or not _EMPTY_FIRST.search(request.agent) or not isinstance(request.driver, Reserves):
        return False
    return _stat(request) is None


def _stat(request: Request) -> Item | None:
    try:
        return request.driver.stat(request.path)
    except NotFound:
        return None


def _preconditions(request: Request) -> tuple[str | None, bool]:
    """What the driver checks in the same call that writes; anything less usual is checked by a look-up before."""
    match, none_match = exact_match(request), request.header("If-None-Match")
    if match is not None and not none_match:
        return match, False
    if none_match == "*" and not request.header("If-Match"):
        return None, True
    check_preconditions(request, lambda: _stat(request))
    return None, False


def _times(request: Request) -> Times | None:
    """X-OC-Mtime and X-OC-CTime (rclone, Nextcloud, gvfs): POSIX seconds; zero and nonsense are ignored."""
    modified, created = parse_date(request.header("X-OC-Mtime")), parse_date(request.header("X-OC-CTime"))
    return Times(modified, created) if modified or created else None


def _body(request: Request) -> AbstractContextManager[Body]:
    """The body with its length.

    Raises:
        Refusal: 400 for lengths that contradict, 411 for none where content was announced.
    """
    source = _Patient(request.environ["wsgi.input"], request.shared.clock)
    kind = str(request.environ.get("CONTENT_TYPE", ""))
    announced = request.header("X-Expected-Entity-Length")
    expected = int(announced) if re.fullmatch("[0-9]{1,18}", announced) else None
    length = str(request.environ.get("CONTENT_LENGTH") or "")
    if length:
        if not length.isdigit():
            raise Refusal(400, "the Content-Length is malformed", headers=[("Connection", "close")])
        if expected is not None and expected != int(length):
            # nginx turns a chunked body that has ended early into a whole one with a length of its own
            raise BodyTruncated(f"the upload has {length} bytes where {expected} were announced")
        return nullcontext(Body(source, int(length), kind))
    if request.environ.get("wsgi.input_terminated"):
        shared = request.shared
        if expected:
            _check_quota(request, expected)
        return spooled(source, shared.spool_limit, expected=expected, content_type=kind, folder=shared.spool_folder)
    if expected:
        raise Refusal(411, "the Content-Length is missing")
    return nullcontext(Body(source, 0, kind))


def _check_quota(request: Request, expected: int) -> None:
    """Refuse what has no room on the drive, before it is spooled; Graph itself checks what has a length.

    Raises: QuotaExceeded.
    """
    quota = None
    if expected > _LARGE:
        with suppress(BridgeError):
            quota = request.driver.quota()
    # libraries tell of no room at all where there is some (facts/graph.md §1.1)
    if quota is not None and 0 < quota.available < expected:
        raise QuotaExceeded("the drive is full")


class _Patient:
    """The client's body: each block that comes is progress, and starts the request's time again."""

    def __init__(self, source: Any, clock: Clock) -> None:
        self._source = source
        self._clock = clock

    def read(self, size: int = -1, /) -> bytes:
        block: bytes = self._source.read(size)
        deadline.current(self._clock).extend()
        return block


def _reserve(request: Request) -> Response:
    if not isinstance(request.driver, Reserves):
        raise TypeError("a mount's driver must be able to reserve names")
    written = Written(request.driver.reserve(request.path), created=True)
    return response(written, Ready(None, if_absent=False, times=None))
