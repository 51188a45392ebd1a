"""Uploads: one request for small contents, a session for the others (facts: Graph §3).

While a fragment is on its way to Microsoft the next one is read from the client (`fragments`), and the hash of all is
computed as they come.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial

from davbridge import deadline
from davbridge.body import Body
from davbridge.errors import BadUpstream, NotFound, UnknownOutcome
from davbridge.graph.batch import IfFolder, NotDone
from davbridge.graph.client import Graph
from davbridge.graph.decode import iso
from davbridge.graph.desk import Desk
from davbridge.graph.fragments import Beside, FragmentReader
from davbridge.graph.integrity import Mismatch, check_stored
from davbridge.graph.items import _match, written
from davbridge.graph.memory import Share
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.graph.session import PAUSE, SessionGone, UploadSession, described
from davbridge.killpoint import killpoint
from davbridge.transport import Reply

log = logging.getLogger(__name__)
SIMPLE_LIMIT = 4 * 2**20
"""Contents up to this size go in one request."""
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

    Raises:
        AlreadyExists: `fail_if_exists`, or a folder has the name. PreconditionFailed, QuotaExceeded, TooLarge.
        UnknownOutcome: the answer was lost.
    """
    url = ref.url("content") + f"?@microsoft.graph.conflictBehavior={'fail' if fail_if_exists else 'replace'}"
    headers = {"Content-Type": content_type or "application/octet-stream", **_match(if_match)}
    reply = graph.call("PUT", url, data=data, headers=headers)
    killpoint("content stored")
    return written(reply, ref), reply.status == 201


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
    `before_commit`, when all has been read and the last fragment not yet sent. When the session vanishes, or something
    else was stored than was sent, it is tried again where the body can be read again.

    Raises:
        BodyTruncated: the client sent less; nothing was stored. AlreadyExists, QuotaExceeded, Locked, TooLarge.
        UnknownOutcome: the last answer was lost and reading back could not tell.
        Mismatch: the service has stored something else.
        NotDone: `only_if` did not hold; nothing of the body was read.
    """
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
    stop = threading.Event()
    beside: Beside[Stored | None] = Beside(desk.senders, graph.clock)
    try:
        with desk.memory.upload() as share:
            try:
                stored, digest = _send_all(graph, body, session, share, stop, beside, before_commit)
            finally:
                # before the memory is given back, and before the session is cancelled
                stop.set()
                beside.end()
        session.finish()
    except BaseException:
        session.cancel()
        raise
    check_stored(stored[0], body.length, digest)
    return stored


def _send_all(
    graph: Graph,
    body: Body,
    session: UploadSession,
    share: Share,
    stop: threading.Event,
    beside: Beside[Stored | None],
    before_commit: Callable[[], None] | None,
) -> tuple[Stored, str]:
    reader = FragmentReader(body, share, stop)
    digest = reader.hash.digest
    sent = 0
    while True:
        # a client that stalls runs into the edge's own timeout, and its sender's failure is seen with the next part
        fragment, room = reader.next(beside.check)
        if done := beside.fetch():
            share.give(sent)
            reader.took(done[1])
            deadline.current(graph.clock).extend()
            killpoint("fragment sent")
        if fragment.last:
            killpoint("last fragment read")
            if before_commit is not None:
                before_commit()
            stored = session.send(fragment, digest)
            if stored is None:
                raise BadUpstream("Microsoft took the whole upload and stored nothing")
            deadline.current(graph.clock).extend()
            return stored, digest()
        beside.start(partial(session.send, fragment, digest))
        sent = room
        del fragment  # else it would stay beside the next two


def _open(graph: Graph, ref: ItemRef, item: dict[str, object]) -> Reply:
    url = ref.url("createUploadSession")
    try:
        # opening a session twice does no harm by itself: an unused one expires
        return graph.call("POST", url, body=item)
    except NotFound:
        # SharePoint says 404 now and then when an Office file is replaced (§12.1, ISS 1068)
        graph.clock.sleep(PAUSE)
        return graph.call("POST", url, body=item)


def _open_if(only_if: IfFolder, ref: ItemRef, item: dict[str, object]) -> Reply:
    try:
        return only_if.call("POST", ref.url("createUploadSession"), body=item)
    except UnknownOutcome:
        raise NotDone from None  # nothing is stored by opening a session
