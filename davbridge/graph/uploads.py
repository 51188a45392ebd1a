"""Uploads: one request for small contents, a session for the others (facts: Graph §3).

A fragment is read whole from the client before any of it is sent: a client that breaks off leaves nothing half-sent,
and what was sent can be sent again. At most two fragments are in memory: the one that is read, and its parts while they
are joined.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from davbridge import deadline
from davbridge.body import Body
from davbridge.errors import (
    BadUpstream,
    BridgeError,
    Busy,
    NotFound,
    UnknownOutcome,
)
from davbridge.graph.batch import IfFolder, NotDone
from davbridge.graph.client import Graph
from davbridge.graph.decode import drive_item, iso, moment
from davbridge.graph.failures import raise_for
from davbridge.graph.items import ONE, _match, written
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.graph.quickxor import QuickXor
from davbridge.redact import Secret
from davbridge.transport import Reply

UNIT = 327_680
"""Fragments are multiples of this, except the last (§3.3)."""
FRAGMENT = 32 * UNIT
"""10 MiB."""
SIMPLE_LIMIT = 4 * 2**20
"""Contents up to this size go in one request."""
_RESUMES = 5
_PAUSE = 1.0
_OVER = frozenset({401, 403, 404, 410})


def put_content(
    graph: Graph | IfFolder,
    ref: ItemRef,
    data: bytes,
    *,
    content_type: str = "",
    fail_if_exists: bool = False,
    if_match: str | None = None,
) -> tuple[DriveItem, bool]:
    """Store a content in one request; returns the item and whether it is new.

    Graph makes missing folders on the way without being asked: the caller must know that the parent exists.

    Raises:
        AlreadyExists: `fail_if_exists`, or a folder has the name. PreconditionFailed, QuotaExceeded, TooLarge.
        UnknownOutcome: the answer was lost.
    """
    url = ref.url("content") + f"?@microsoft.graph.conflictBehavior={'fail' if fail_if_exists else 'replace'}"
    headers = {"Content-Type": content_type or "application/octet-stream", **_match(if_match)}
    reply = graph.call("PUT", url, data=data, headers=headers)
    return written(reply, ref), reply.status == 201


def upload(
    graph: Graph,
    ref: ItemRef,
    body: Body,
    *,
    fail_if_exists: bool = False,
    created: datetime | None = None,
    modified: datetime | None = None,
    only_if: IfFolder | None = None,
) -> tuple[DriveItem, bool]:
    """Store a content of at least one byte through a session: all of it or nothing.

    The session is cancelled when anything fails. No If-Match goes with it: opening the session bumps the eTag on
    SharePoint, and the commit then fails (§3.2, ISS 1716); the caller compares just before.

    Raises:
        BodyTruncated: the client sent less; nothing was stored. AlreadyExists, QuotaExceeded, Locked, TooLarge.
        UnknownOutcome: the last answer was lost and reading back could not tell.
        NotDone: `only_if` did not hold; nothing of the body was read.
    """
    item = _described(body.length, fail_if_exists, created, modified)
    reply = _open(graph, ref, item) if only_if is None else _open_if(only_if, ref, item)
    session = _Session(graph, ref, _address(reply), body.length, opened=_date(reply))
    try:
        while True:
            # extended only by progress: a client that stalls runs into the edge's own timeout
            data = body.read(FRAGMENT)
            stored = session.send(data, last=body.remaining == 0)
            del data  # else it would stay beside the next one
            deadline.current(graph.clock).extend()
            if stored is not None:
                return stored
    except BaseException:
        session.cancel()
        raise


def _described(size: int, fail: bool, created: datetime | None, modified: datetime | None) -> dict[str, Any]:
    times = {"createdDateTime": created, "lastModifiedDateTime": modified}
    item: dict[str, Any] = {"@microsoft.graph.conflictBehavior": "fail" if fail else "replace", "fileSize": size}
    if info := {key: iso(value) for key, value in times.items() if value is not None}:
        item["fileSystemInfo"] = info
    return {"item": item}


def _open(graph: Graph, ref: ItemRef, item: dict[str, Any]) -> Reply:
    url = ref.url("createUploadSession")
    try:
        # opening a session twice does no harm by itself: an unused one expires
        return graph.call("POST", url, body=item)
    except NotFound:
        # SharePoint says 404 now and then when an Office file is replaced (§12.1, ISS 1068)
        graph.clock.sleep(_PAUSE)
        return graph.call("POST", url, body=item)


def _open_if(only_if: IfFolder, ref: ItemRef, item: dict[str, Any]) -> Reply:
    try:
        return only_if.call("POST", ref.url("createUploadSession"), body=item)
    except UnknownOutcome:
        raise NotDone from None  # nothing is stored by opening a session


def _address(reply: Reply) -> Secret:
    try:
        return Secret(str(reply.json()["uploadUrl"]))
    except KeyError:
        raise BadUpstream("Graph opened an upload session without an address") from None


def _date(reply: Reply) -> datetime | None:
    """When the service answered, by its own clock; None when it does not say."""
    try:
        return parsedate_to_datetime(reply.headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return None


class _Session:
    """An open session and how far it has got. `opened` is the service's time."""

    def __init__(self, graph: Graph, ref: ItemRef, url: Secret, total: int, *, opened: datetime | None) -> None:
        self._graph = graph
        self._ref = ref
        self._url = url
        self._total = total
        self._position = 0
        self._open = True
        self._opened = opened
        self._hash = QuickXor()
        self._doubtful = False  # the service may have committed without our knowing

    def send(self, data: bytes, *, last: bool) -> tuple[DriveItem, bool] | None:
        """Send one fragment, again where that helps; the item when it was the last.

        A break in mid-fragment makes the service discard all its bytes (§3.3), unless only the answer was lost: the
        session's own status tells.
        """
        self._hash.update(data)
        try:
            return self._send(data, last=last)
        except (Busy, BadUpstream) as error:
            if self._doubtful:
                raise UnknownOutcome("the upload's last answer was lost, and nothing tells more") from error
            raise

    def _send(self, data: bytes, *, last: bool) -> tuple[DriveItem, bool] | None:
        lost: BridgeError | None = None
        whole = False
        for attempt in range(_RESUMES):
            try:
                reply = None if whole else self._put(data)
            except (UnknownOutcome, BadUpstream) as error:
                reply, lost = None, error
                self._doubtful = last
            if reply is not None:
                if reply.status in (200, 201) and last:
                    return self._stored(reply)
                if reply.status == 202 and not last:
                    self._position += len(data)
                    return None
                if reply.status == 404 and self._position == 0 and attempt == 0:
                    self._graph.clock.sleep(_PAUSE * 5)  # a session is not known everywhere at once (§12.2)
                    continue
                if reply.status != 416 and (lost is None or reply.status not in _OVER):
                    self._doubtful = False
                    self._refuse(reply)
                lost = lost or BadUpstream(f"a fragment was answered with {reply.status}")
            stored, received = self._look(last=last, error=lost)
            if stored is not None:
                return stored
            if received == self._position + len(data) and not last:
                self._position = received
                return None
            whole = received == self._total  # and not yet committed: wait, there is nothing to send again
            if received not in (None, self._position, self._total):
                self._doubtful = False
                raise BadUpstream("the upload session has lost bytes") from lost
            if received == self._position:
                self._doubtful = False
                if reply is not None:
                    self._refuse(reply)
            self._graph.clock.sleep(_PAUSE * 2**attempt)
        raise Busy("Microsoft does not take the upload at the moment", 30.0)

    def _stored(self, reply: Reply) -> tuple[DriveItem, bool]:
        self._open = False
        try:
            return drive_item(reply.json(), drive_id=self._ref.drive_id), reply.status == 201
        except BadUpstream as error:
            return self._reconciled(error), reply.status == 201

    def _put(self, data: bytes) -> Reply:
        end = self._position + len(data) - 1
        headers = {
            "Content-Range": f"bytes {self._position}-{end}/{self._total}",
            "Content-Type": "application/octet-stream",
        }
        # not `safe`: a repeat after a lost answer would meet 416; we look first
        return self._graph.direct("PUT", self._url, headers=headers, data=data)

    def _look(self, *, last: bool, error: BridgeError | None) -> tuple[tuple[DriveItem, bool] | None, int | None]:
        """After a lost answer: what the session says it has; for a finished session, the item itself (law 3).

        Neither when the session does not answer.
        """
        try:
            return None, self._status()
        except NotFound:
            if not last:
                raise BadUpstream("the upload session has gone") from error
        except (BadUpstream, Busy):
            return None, None
        self._open = False
        return (self._reconciled(error), False), self._total

    def _reconciled(self, error: BridgeError | None) -> DriveItem:
        """The item, when it is what was sent.

        A session may be gone without having been committed, and the old content may be as long as the new: so the hash
        decides. Where there is none, or where an Office file is longer than what was sent (§12.1), the service must
        have changed the item after the session was opened.

        Raises:
            UnknownOutcome: it is not.
        """
        self._doubtful = True
        try:
            json = self._graph.get_json(f"{self._ref.url()}?{ONE}")
        except NotFound:
            json = {}
        if json:
            item = drive_item(json, drive_id=self._ref.drive_id)
            if item.size == self._total and item.quick_xor_hash == self._hash.digest():
                return item
            changed = self._opened is not None and moment(json.get("lastModifiedDateTime")) > self._opened
            if changed and (item.size > self._total or (item.size == self._total and not item.quick_xor_hash)):
                return item
        raise UnknownOutcome("the upload's last answer was lost, and the file does not show it") from error

    def _status(self) -> int:
        """Bytes that the session has.

        Raises:
            NotFound: it is over.
        """
        reply = self._graph.direct("GET", self._url, safe=True)
        if reply.status in _OVER:
            raise NotFound("the upload session is over")
        raise_for(reply)
        ranges = reply.json().get("nextExpectedRanges") or []
        found = re.match(r"(\d+)", str(ranges[0])) if ranges else None
        return int(found[1]) if found else self._total

    def _refuse(self, reply: Reply) -> None:
        """The error of a fragment that was refused."""
        if reply.status in _OVER:
            raise BadUpstream("the upload session has expired")
        raise_for(reply)
        raise BadUpstream(f"a fragment was answered with {reply.status}")

    def cancel(self) -> None:
        """Free the name: business drives allow one open session a file (§3.2). Best effort, and never slow."""
        if not self._open:
            return
        self._open = False
        try:
            with deadline.within(self._graph.clock, 5.0):
                self._graph.direct("DELETE", self._url, safe=True)
        except BridgeError:
            return  # it expires by itself
