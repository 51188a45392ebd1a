"""LOCK (RFC 4918 §9.10): grant or refresh.

Granted to those who may only read, too: Windows hangs when it is refused, and the PUT is refused anyway (clients §3.1).
Such a lock binds nobody: who may not write may not keep others from writing either. A lock on a free name reserves it:
davfs2 and LibreOffice expect a HEAD to find an empty file then.
"""

from __future__ import annotations

import re
from typing import Any

from davbridge.dav.conditions import check_if, require_unlocked, submitted_tokens
from davbridge.dav.locks import DEFAULT_SECONDS, LONGEST_SECONDS, Conflict, Lock
from davbridge.dav.message import Request, Response
from davbridge.dav.properties import lock_discovery
from davbridge.dav.refusal import Refusal, locked
from davbridge.dav.xmlbody import DAV, elements, read_xml, serialise
from davbridge.drivers.overlay import Reserves
from davbridge.errors import NotFound

_LONGEST_OWNER = 4096
"""Characters of an owner's XML that are kept."""


def handle(request: Request) -> Response:
    """200 for an item that is there or a refresh, 201 for a name that was free; the token in header and body.

    Also 200 where nothing is known of the name yet: clients lock what they have just listed, and a lock is nothing that
    Microsoft should be asked for. If the name turns out to be free, the lock holds it all the same.
    """
    root = read_xml(request)
    if root is None:
        return _refresh(request)
    exclusive, owner = _lockinfo(root)
    infinite = _infinite(request)
    check_if(request)
    unseen = request.may_write and not _folder_is_locked(request) and not request.driver.knows(request.path)
    created = not unseen and not _exists(request)
    if created:
        if not request.may_write:
            raise Refusal(403, "this mount is read-only for you")
        require_unlocked(request, request.path, member=True)
    try:
        lock = request.shared.locks.grant(
            request.mount.name,
            request.path,
            request.user,
            exclusive=exclusive,
            infinite=infinite,
            owner=owner,
            seconds=_seconds(request),
            binds=request.mount.binds,
        )
    except Conflict as conflict:
        hrefs = [request.href(one.path) for one in conflict.locks]
        raise Refusal(423, "the item is locked", condition="no-conflicting-lock", hrefs=hrefs) from None
    if created or unseen:
        _reserve(request, lock, unseen=unseen)
    return _response(request, lock, 201 if created else 200)


def _refresh(request: Request) -> Response:
    tokens = submitted_tokens(request)
    if not tokens:
        raise Refusal(400, "a refresh names its lock in the If header")
    covering = request.shared.locks.covering(request.mount.name, request.path)
    held = [lock for lock in covering if lock.token in tokens]
    if not held:
        raise Refusal(412, "there is no such lock", condition="lock-token-matches-request-uri")
    if held[0].user != request.user:
        raise locked([request.href(held[0].path)])
    lock = request.shared.locks.refresh(held[0].token, _seconds(request))
    if lock is None:
        raise Refusal(412, "the lock has just expired", condition="lock-token-matches-request-uri")
    return _response(request, lock, 200)


def _lockinfo(root: Any) -> tuple[bool, str]:
    """Whether the lock is exclusive, and the owner element as the client wrote it."""
    parts = {child.tag: child for child in elements(root)}
    scope = [child.tag for child in elements(parts.get(DAV + "lockscope", ()))]
    kind = [child.tag for child in elements(parts.get(DAV + "locktype", ()))]
    if root.tag != DAV + "lockinfo" or kind != [DAV + "write"] or scope not in ([DAV + "exclusive"], [DAV + "shared"]):
        raise Refusal(400, "the body is not a lockinfo element for a write lock")
    owner = "" if (element := parts.get(DAV + "owner")) is None else serialise(element)
    # a longer one is left out: a piece of it would not be XML, and would spoil each listing that shows the lock
    return scope == [DAV + "exclusive"], owner if len(owner) <= _LONGEST_OWNER else ""


def _infinite(request: Request) -> bool:
    depth = request.header("Depth").lower() or "infinity"
    if depth not in ("0", "infinity"):
        raise Refusal(400, "a lock has Depth 0 or infinity")
    return depth == "infinity"


def _seconds(request: Request) -> int:
    """The first Timeout that we can read, within bounds; Infinite gets the longest."""
    for part in request.header("Timeout").split(","):
        if part.strip().lower() == "infinite":
            return LONGEST_SECONDS
        if found := re.fullmatch(r"Second-(\d+)", part.strip(), re.IGNORECASE):
            return max(1, min(int(found[1][:12]), LONGEST_SECONDS))
    return DEFAULT_SECONDS


def _exists(request: Request) -> bool:
    try:
        request.driver.stat(request.path)
    except NotFound:
        return False
    return True


def _folder_is_locked(request: Request) -> bool:
    """A lock on the folder protects its free names (RFC 4918 §7.4): then it matters whether this one is."""
    return bool(request.shared.locks.covering(request.mount.name, request.path.parent))


def _reserve(request: Request, lock: Lock, *, unseen: bool) -> None:
    """Show an empty file: after the lock was granted, so that a refused LOCK leaves nothing behind."""
    driver = request.driver
    if not isinstance(driver, Reserves):
        raise TypeError("a mount's driver must be able to reserve names")
    try:
        if unseen:
            driver.reserve_unseen(request.path)
        else:
            driver.reserve(request.path)
    except BaseException:
        request.shared.locks.release(lock.token)
        raise


def _response(request: Request, lock: Lock, status: int) -> Response:
    now = request.shared.clock.now().timestamp()
    root = not request.agent.startswith("WebDAVFS")
    discovery = lock_discovery([lock], lambda one: request.href(one.path), now, lock_root=root)
    body = f'<?xml version="1.0" encoding="utf-8"?>\n<D:prop xmlns:D="DAV:">{discovery}</D:prop>\n'
    headers = [("Content-Type", "application/xml; charset=utf-8"), ("Lock-Token", f"<{lock.token}>")]
    return Response(status, headers, [body.encode()])
