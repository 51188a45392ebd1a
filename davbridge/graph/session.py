"""An upload session: fragments in order, and what to do when an answer does not come (facts: Graph §3)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from davbridge import deadline
from davbridge.errors import BadUpstream, BridgeError, Busy, NotFound, UnknownOutcome
from davbridge.graph.client import Graph
from davbridge.graph.decode import drive_item, moment
from davbridge.graph.failures import raise_for
from davbridge.graph.fragments import Fragment, Stalled
from davbridge.graph.items import ONE
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.killpoint import killpoint
from davbridge.redact import Secret
from davbridge.store.journal import Journal, OpenSession
from davbridge.transport import Reply
from davbridge.transport.retry import UNAVAILABLE, retry_after

log = logging.getLogger(__name__)
PAUSE = 1.0
_RESUMES = 5
OVER = frozenset({401, 403, 404, 410})
"""What an upload URL answers that leads nowhere any more (§3.3)."""
_LIFETIME = 900.0


class SessionGone(BadUpstream):
    """The service knows nothing of the session any more, and has not stored what was sent into it."""


class UploadSession:
    """An open session and how far it has got; in the journal until its outcome is known.

    `reply` is the service's answer to opening it, `open_again` opens another one in its place.
    """

    def __init__(
        self, graph: Graph, ref: ItemRef, journal: Journal, reply: Reply, total: int, open_again: Callable[[], Reply]
    ) -> None:
        self._graph = graph
        self._ref = ref
        self._journal = journal
        self._total = total
        self._open_again: Callable[[], Reply] | None = open_again
        self._position = 0
        self._doubtful = False  # the service may have committed without our knowing
        self._enter(reply)

    def _enter(self, reply: Reply) -> None:
        self._url = _address(reply)
        self._opened = _date(reply)
        self._is_open = True
        self._known = False
        killpoint("session opened")
        try:
            self._number = self._journal.begin(self._entry(reply))
        except BaseException:
            self._delete()
            raise
        killpoint("session journaled")

    def _entry(self, reply: Reply) -> OpenSession:
        told = moment(reply.json().get("expirationDateTime")).timestamp()
        expires = max(told, self._graph.clock.now().timestamp() + _LIFETIME)
        where = self._ref
        return OpenSession(self._url, where.drive_id, where.item_id, where.path.names, self._total, expires)

    def send(self, fragment: Fragment, digest: Callable[[], str]) -> tuple[DriveItem, bool] | None:
        """Send the next fragment, again where that helps; the item, and whether it is new, when it was the last.

        A break in mid-fragment makes the service discard all its bytes (§3.3), unless only the answer was lost: the
        session's own status tells. `digest` tells the hash of the whole body, once the last fragment is there.

        Raises:
            SessionGone. UnknownOutcome: it may be stored. What `failures` says of a refusal; Busy, BadUpstream.
        """
        try:
            return self._send(fragment, digest)
        except (Busy, BadUpstream) as error:
            if self._doubtful:
                raise UnknownOutcome("the upload's last answer was lost, and nothing tells more") from error
            raise

    def _send(self, fragment: Fragment, digest: Callable[[], str]) -> tuple[DriveItem, bool] | None:
        lost: BridgeError | None = None
        whole = False
        last = fragment.last
        for attempt in range(_RESUMES):
            try:
                reply = None if whole else self._put(fragment)
            except (UnknownOutcome, BadUpstream) as error:
                reply, lost = None, error
                self._doubtful = last and fragment.given
            except Stalled:
                fragment.wait()
                continue
            if reply is not None and reply.status == UNAVAILABLE:
                # a gateway's may hide a success: the session is asked, once the gate has opened
                pause = retry_after(reply.headers, self._graph.clock.now())
                reply, lost = None, Busy("Microsoft is busy", pause or 30.0)
            if reply is not None:
                if reply.status in (200, 201) and last:
                    return self._stored(reply, digest)
                if reply.status == 202 and not last:
                    self._position += len(fragment)
                    return None
                if reply.status == 404 and self._position == 0 and attempt == 0:
                    self._graph.clock.sleep(PAUSE * 5)  # a session is not known everywhere at once (§12.2)
                    continue
                if reply.status in OVER and lost is None and self._replaced():
                    continue
                if reply.status != 416 and (lost is None or reply.status not in OVER):
                    self._doubtful = False
                    self._refuse(reply)
                lost = lost or BadUpstream(f"a fragment was answered with {reply.status}")
            stored, received = self._look(digest, last=last and fragment.given, error=lost)
            if stored is not None:
                return stored
            if received is None and isinstance(lost, Busy):
                raise lost
            if received == self._position + len(fragment) and not last:
                self._position = received
                return None
            whole = received == self._total  # and not yet committed: wait, there is nothing to send again
            if received not in (None, self._position, self._total):
                self._doubtful = False
                raise SessionGone("the upload session has lost bytes") from lost
            if received == self._position:
                self._doubtful = False
                if reply is not None:
                    self._refuse(reply)
            self._graph.clock.sleep(PAUSE * 2**attempt)
        raise Busy("Microsoft does not take the upload at the moment", 30.0)

    def _replaced(self) -> bool:
        """Whether there is a new session in the place of one that has gone before it took anything: once."""
        if self._position or self._open_again is None:
            return False
        again, self._open_again = self._open_again, None
        self.cancel()
        self._enter(again())
        return True

    def _stored(self, reply: Reply, digest: Callable[[], str]) -> tuple[DriveItem, bool]:
        self._is_open = False
        try:
            stored = drive_item(reply.json(), drive_id=self._ref.drive_id)
        except BadUpstream as error:
            stored = self._reconciled(digest(), error)
        self._known = True
        return stored, reply.status == 201

    def _put(self, fragment: Fragment) -> Reply:
        end = self._position + len(fragment) - 1
        headers = {
            "Content-Range": f"bytes {self._position}-{end}/{self._total}",
            "Content-Type": "application/octet-stream",
        }
        # not `safe`: a repeat after a lost answer would meet 416; we look first
        return self._graph.direct("PUT", self._url, headers=headers, data=fragment, commits=fragment.last)

    def _look(
        self, digest: Callable[[], str], *, last: bool, error: BridgeError | None
    ) -> tuple[tuple[DriveItem, bool] | None, int | None]:
        """After a lost answer: what the session says it has; for a finished session, the item itself (law 3).

        Neither when the session does not answer.
        """
        try:
            return None, self._status()
        except NotFound:
            self._is_open = False
            if not last:
                self._known = True
                raise SessionGone("the upload session has gone") from error
        except (BadUpstream, Busy):
            return None, None
        stored = self._reconciled(digest(), error)
        self._known = True
        return (stored, False), self._total

    def _reconciled(self, digest: str, error: BridgeError | None) -> DriveItem:
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
            if item.size == self._total and item.quick_xor_hash == digest:
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
        if reply.status in OVER:
            raise NotFound("the upload session is over")
        raise_for(reply)
        ranges = reply.json().get("nextExpectedRanges") or []
        found = re.match(r"(\d+)", str(ranges[0])) if ranges else None
        return int(found[1]) if found else self._total

    def _refuse(self, reply: Reply) -> None:
        """The error of a fragment that was refused."""
        if reply.status in OVER:
            raise SessionGone("the upload session has expired")
        raise_for(reply)
        raise BadUpstream(f"a fragment was answered with {reply.status}")

    def finish(self) -> None:
        """The item is stored: nothing is left to be done at the service."""
        killpoint("committed")
        self._forget()
        killpoint("session forgotten")

    def cancel(self) -> None:
        """Free the name: business drives allow one open session a file (§3.2). Never slow, and never an error.

        What could not be brought to an end stays in the journal, for `drivers.recovery`.
        """
        if self._is_open and self._delete():
            self._known = True
        self._is_open = False
        if self._known:
            self._forget()
            return
        try:
            self._journal.leave(self._number)
        except BridgeError as error:
            log.warning("an upload session stays in the journal: %s", error)

    def _delete(self) -> bool:
        """Whether the service has heard it."""
        try:
            with deadline.within(self._graph.clock, 5.0):
                reply = self._graph.direct("DELETE", self._url, safe=True)
        except BridgeError:
            return False
        return reply.status < 300 or reply.status in OVER

    def _forget(self) -> None:
        try:
            self._journal.end(self._number)
        except BridgeError as error:
            # what it tells of is over: whoever looks at it later finds that out
            log.warning("an upload session stays in the journal: %s", error)


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


def described(size: int, fail: bool, info: dict[str, str]) -> dict[str, Any]:
    """The body of createUploadSession (§3.2). The conflict behaviour is said always: its default is not certain."""
    item: dict[str, Any] = {"@microsoft.graph.conflictBehavior": "fail" if fail else "replace", "fileSize": size}
    if info:
        item["fileSystemInfo"] = info
    return {"item": item}
