"""Uploads: one request for small contents, a session for the others (facts: Graph §3).

A fragment goes to Microsoft while it is read from the client (`fragments`), and the hash of all is computed on the way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import copy_context
from datetime import datetime
from functools import partial

from davbridge import deadline
from davbridge.body import Body
from davbridge.clock import Clock
from davbridge.errors import BadUpstream, BodyTruncated, BridgeError, Busy, NotFound, TooLarge, UnknownOutcome
from davbridge.graph.batch import IfFolder, NotDone
from davbridge.graph.client import Graph
from davbridge.graph.decode import iso
from davbridge.graph.desk import Desk
from davbridge.graph.failures import raise_for
from davbridge.graph.fragments import Window
from davbridge.graph.integrity import Mismatch, check_stored, is_content
from davbridge.graph.items import _match, get_item, written
from davbridge.graph.memory import UNIT
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.graph.quickxor import QuickXor, quick_xor_hash
from davbridge.graph.senders import Senders
from davbridge.graph.session import PAUSE, SessionGone, UploadSession, described
from davbridge.graph.tempo import SHOWN
from davbridge.killpoint import killpoint
from davbridge.transport import Reply
from davbridge.transport.retry import UNAVAILABLE, retry_after

log = logging.getLogger(__name__)
SIMPLE_LIMIT = 4 * 2**20
"""Contents up to this size go in one request."""
LARGEST = 250 * 2**30
"""Bytes of a file; more is refused before it is read, and not after hours."""
_UNAVAILABLE_TIMES = 5
"""Tries of a content that is answered with 503, each after a pause."""
_TIMES = 3
"""Sessions that one upload may open, where its bytes can be had again."""

Stored = tuple[DriveItem, bool]


def put_content(
    graph: Graph | IfFolder,
    ref: ItemRef,
    data: bytes,
    *,
    content_type: str = "",
    fail_if_exists: bool = False,
    if_match: str | None = None,
) -> Stored:
    """Store a content in one request; returns the item and whether it is new.

    Graph makes missing folders on the way without being asked: the caller must know that the parent exists.

    A gateway that says 503 may have passed it on: the file is looked at before it is sent again, since each time makes
    a version.

    Raises:
        AlreadyExists: `fail_if_exists`, or a folder has the name. PreconditionFailed, QuotaExceeded, TooLarge, Busy.
        UnknownOutcome: the answer was lost.
    """
    url = ref.url("content") + f"?@microsoft.graph.conflictBehavior={'fail' if fail_if_exists else 'replace'}"
    headers = {"Content-Type": content_type or "application/octet-stream", **_match(if_match)}
    if isinstance(graph, IfFolder):
        reply = graph.call("PUT", url, data=data, headers=headers)
    else:
        for _ in range(_UNAVAILABLE_TIMES):
            reply = graph.send("PUT", url, data=data, headers=headers, commits=True)
            if reply.status != UNAVAILABLE:
                break
            found = already_stored(graph, ref, data)
            if found is not None:
                return found
        else:
            raise Busy("Microsoft is busy", retry_after(reply.headers, graph.clock.now()) or 30.0)
        raise_for(reply)
    killpoint("content stored")
    return written(reply, ref), reply.status == 201


def already_stored(graph: Graph, ref: ItemRef, data: bytes) -> Stored | None:
    """The item, when its hash shows this content after all; whether it is new then, its times tell.

    Without a hash it is sent again: one version too many, and not one too few.

    Raises:
        Busy. UnknownOutcome: it cannot be read.
    """
    try:
        item = get_item(graph, ref)
    except NotFound:
        return None
    except Busy:
        raise
    except BridgeError as error:
        raise UnknownOutcome("Microsoft was busy, and what it has stored cannot be read") from error
    is_ours = is_content(item, len(data), quick_xor_hash(data))
    return (item, item.created == item.modified) if is_ours else None


def upload(
    graph: Graph,
    ref: ItemRef,
    body: Body,
    desk: Desk,
    *,
    fail_if_exists: bool = False,
    created: datetime | None = None,
    modified: datetime | None = None,
    only_if: IfFolder | None = None,
    before_commit: Callable[[], None] | None = None,
) -> Stored:
    """Store a content of at least one byte through a session: all of it or nothing.

    The session is cancelled when anything fails. No If-Match goes with it: opening the session bumps the eTag on
    SharePoint, and the commit then fails (§3.2, ISS 1716); the caller compares before it, and once more in
    `before_commit`, when all has been read and all but the last 320 KiB sent. When the session vanishes, or something
    else was stored than was sent, it is tried again where the body can be read again.

    Raises:
        BodyTruncated: the client sent less; nothing was stored. AlreadyExists, QuotaExceeded, Locked, TooLarge.
        UnknownOutcome: the last answer was lost and reading back could not tell.
        Mismatch: the service has stored something else.
        NotDone: `only_if` did not hold; nothing of the body was read.
    """
    if body.length > LARGEST:
        raise TooLarge("OneDrive and SharePoint take no file larger than 250 GiB")
    times = {"createdDateTime": created, "lastModifiedDateTime": modified}
    info = {key: iso(value) for key, value in times.items() if value is not None}
    conflict = fail_if_exists

    def open_again() -> Reply:
        return _open(graph, ref, described(body.length, conflict, info))

    killpoint("session wanted")
    reply = open_again() if only_if is None else _open_if(only_if, ref, described(body.length, conflict, info))
    for attempt in range(1, _TIMES + 1):
        session = UploadSession(graph, ref, desk.journal, reply, body.length, open_again)
        try:
            return _transfer(graph, body, desk, session, before_commit)
        except (SessionGone, Mismatch) as error:
            if attempt == _TIMES or not body.rewind():
                raise
            log.warning("an upload is sent once more: %s", error)
            # what is there now is ours
            if isinstance(error, Mismatch):
                conflict, before_commit = False, None
        reply = open_again()
    raise AssertionError("unreachable")


def _transfer(
    graph: Graph, body: Body, desk: Desk, session: UploadSession, before_commit: Callable[[], None] | None
) -> Stored:
    """All fragments, and the item that comes of them; the session is over afterwards, one way or the other."""
    hashed = QuickXor()
    try:
        with desk.memory.upload() as share:
            window = Window(body.length, share, desk.line, graph.clock)
            read = partial(_read, graph.clock, body, hashed, window, before_commit)
            send = partial(_send, graph.clock, session, hashed.digest, window)
            try:
                if body.length <= min(SHOWN, share.taken):
                    # it would not begin before it has been read, and another thread costs more than it saves
                    read(together=False)
                    stored = send()
                else:
                    stored = _together(desk.senders, window, partial(read, together=True), send)
            finally:
                window.clear()
        session.finish()
    except BaseException:
        session.cancel()
        raise
    check_stored(stored[0], body.length, hashed.digest())
    return stored


def _together(senders: Senders, window: Window, read: Callable[[], None], send: Callable[[], Stored]) -> Stored:
    """Read here, and send in another thread with our own context (the deadline is in it).

    A client that stalls runs into the edge's own timeout, and its sender's failure is seen with the next part.
    """
    sending = senders.submit(partial(copy_context().run, send))
    try:
        read()
        return sending.result()
    finally:
        # it ends before the memory is given back, and before the session is cancelled
        window.stop(BodyTruncated("the upload was given up"))
        sending.exception()


def _read(
    clock: Clock,
    body: Body,
    hashed: QuickXor,
    window: Window,
    before_commit: Callable[[], None] | None,
    *,
    together: bool,
) -> None:
    """The client's side. Without the last part the service cannot commit: nothing is before it is let go."""
    while body.remaining:
        window.wait_for_room()
        begun = clock.monotonic()
        part = body.read(UNIT)
        seconds = clock.monotonic() - begun
        hashed.update(part)
        if not body.remaining:
            if together:
                window.hold_last()
            killpoint("last fragment read")
            if before_commit is not None:
                before_commit()
        window.put(part, seconds)


def _send(clock: Clock, session: UploadSession, digest: Callable[[], str], window: Window) -> Stored:
    """The service's side: one fragment after the other."""
    try:
        while True:
            fragment = window.begin()
            begun = clock.monotonic()
            stored = session.send(fragment, digest)
            window.sent(fragment, clock.monotonic() - begun)
            deadline.current(clock).extend()
            if fragment.last:
                if stored is None:
                    raise BadUpstream("Microsoft took the whole upload and stored nothing")
                return stored
            killpoint("fragment sent")
    except BaseException as error:
        window.stop(error)
        raise


def _open(graph: Graph, ref: ItemRef, item: dict[str, object]) -> Reply:
    url = ref.url("createUploadSession")
    try:
        # opening a session twice does no harm by itself: an unused one expires
        return graph.call("POST", url, body=item, safe=True)
    except NotFound:
        # SharePoint says 404 now and then when an Office file is replaced (§12.1, ISS 1068)
        graph.clock.sleep(PAUSE)
        return graph.call("POST", url, body=item, safe=True)


def _open_if(only_if: IfFolder, ref: ItemRef, item: dict[str, object]) -> Reply:
    try:
        return only_if.call("POST", ref.url("createUploadSession"), body=item)
    except UnknownOutcome:
        raise NotDone from None  # nothing is stored by opening a session
