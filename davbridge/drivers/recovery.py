"""What a process had begun and could not bring to an end, because it died: cancelled, undone or finished by another.

An upload session that nobody goes on with blocks its file for a quarter of an hour (facts/graph.md §3.2); an item that
was set aside to be replaced is missing from its place. Nobody has been told that either was done: old or new are both
true (law 2), and neither is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING

from davbridge import deadline
from davbridge.clock import Clock
from davbridge.drivers.copying import alike
from davbridge.drivers.tree import Tree, content_ref, own_ref
from davbridge.errors import BridgeError, NotFound
from davbridge.graph.failures import raise_for
from davbridge.graph.items import delete_item, get_folder, get_item, update_item
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.graph.session import OVER
from davbridge.mirror.keys import key_of
from davbridge.paths import DavPath, fold
from davbridge.store.journal import Entry, JournalFile, OpenSession, SetAside

if TYPE_CHECKING:
    from davbridge.drivers.graphdriver import GraphDriver

log = logging.getLogger(__name__)
_SECONDS = 30.0
_FIRST, _LONGEST = 5.0, 600.0
_MOST_ITEMS = 5000
"""How large a copied tree may be to be compared with what it was copied from."""


class Recovery:
    """Looks at the journal for all policies of a bridge. For one thread, of one process at a time."""

    def __init__(self, journal: JournalFile, drivers: Mapping[str, GraphDriver], clock: Clock) -> None:
        self._journal = journal
        self._drivers = drivers
        self._clock = clock
        self._waits: dict[int, tuple[float, float]] = {}  # by entry: when to try again, and how long to wait then

    def look(self) -> None:
        """Bring to an end what has been left; what cannot be now is tried later, at longer and longer intervals."""
        for entry in list(self._journal.left()):
            due, pause = self._waits.get(entry.number, (0.0, _FIRST))
            if due > self._clock.monotonic():
                continue
            try:
                with deadline.within(self._clock, _SECONDS):
                    done = self._recover(entry)
            except BridgeError as error:
                log.info("policy %s: something half done was found, and must wait: %s", entry.policy, error)
                if self._has_expired(entry):
                    self._journal.end(entry.number)
                self._wait(entry, pause)
                return  # so that other work has its turn
            if done:
                self._journal.end(entry.number)
                self._waits.pop(entry.number, None)
            else:
                self._wait(entry, pause)

    def _wait(self, entry: Entry, pause: float) -> None:
        self._waits[entry.number] = self._clock.monotonic() + pause, min(pause * 2, _LONGEST)

    def _recover(self, entry: Entry) -> bool:
        driver = self._drivers.get(entry.policy)
        if driver is not None and driver.account == entry.account:
            return driver.recover(entry)
        # a policy that is configured no more, or for another account: all that helps is that sessions expire
        return self._has_expired(entry)

    def _has_expired(self, entry: Entry) -> bool:
        return isinstance(entry.work, OpenSession) and entry.work.expires < self._clock.now().timestamp()


def recover(tree: Tree, entry: Entry) -> bool:
    """Bring one entry to an end; False when it must be looked at again.

    Raises: what Graph's answers say; UnknownOutcome.
    """
    if isinstance(entry.work, OpenSession):
        return _cancel(tree, entry.work, entry.policy)
    return _put_right(tree, entry.work, entry.policy)


def _cancel(tree: Tree, work: OpenSession, policy: str) -> bool:
    where = DavPath(work.names)
    reply = tree.graph.direct("DELETE", work.url, safe=True)
    if reply.status not in OVER:
        raise_for(reply)
        log.warning("policy %s: cancelled the upload of %r, which nobody goes on with", policy, where.name)
        return True
    # it has expired, or it was committed and nobody heard of it
    item = _look(tree, ItemRef(work.drive_id, work.item_id, where))
    is_there = item is not None and item.size == work.size
    if item is not None:
        tree.cache.forget(item)
        tree.cache.forget_children(key_of(item.drive_id, item.parent_id))
    found = "is stored" if is_there else "is not stored"
    log.warning("policy %s: the upload of %r was over when nobody listened: it %s", policy, where.name, found)
    return True


def _put_right(tree: Tree, work: SetAside, policy: str) -> bool:
    old = _look(tree, ItemRef(work.drive_id, work.item_id))
    if old is None or old.name != work.aside:
        return True
    there = _look(tree, ItemRef(work.drive_id, work.parent_id).child(work.name))
    if there is None:
        tree.cache.wrote(update_item(tree.graph, own_ref(old), name=work.name))
        log.warning("policy %s: %r was to be replaced and has its name back", policy, work.name)
        return True
    if not _has_arrived(tree, work, there):
        if work.how == "move":
            log.error("policy %s: another %r has come; the one before is %r beside it", policy, work.name, work.aside)
            return True
        log.error("policy %s: the copy %r is not whole; the item before it is %r", policy, work.name, work.aside)
        return False
    try:
        delete_item(tree.graph, own_ref(old))
    except NotFound:
        return True
    tree.cache.forget(there)
    tree.cache.removed(old)
    log.warning("policy %s: %r had been replaced; the one before is in the recycle bin now", policy, work.name)
    return True


def _has_arrived(tree: Tree, work: SetAside, there: DriveItem) -> bool:
    """Whether what is there is what was to come, whole."""
    if work.how == "move":
        return there.id == work.source_id
    if work.how == "shallow":
        return there.kind == "folder" and not any(get_folder(tree.graph, content_ref(there))[1])
    source = _look(tree, ItemRef(work.source_drive_id, work.source_id))
    return source is not None and _alike(tree, source, there, [_MOST_ITEMS])


def _alike(tree: Tree, one: DriveItem, other: DriveItem, left: list[int]) -> bool:
    """Whether two items have the same content, by what Graph tells. `left` counts down to giving up."""
    left[0] -= 1
    if one.kind != other.kind or one.size != other.size or left[0] < 0:
        return False
    if one.kind != "folder":
        return alike(one, other)
    mine, theirs = (sorted(get_folder(tree.graph, content_ref(item))[1], key=_by_name) for item in (one, other))
    pairs = zip_longest(mine, theirs)
    return all(a and b and _by_name(a) == _by_name(b) and _alike(tree, a, b, left) for a, b in pairs)


def _by_name(item: DriveItem) -> str:
    return fold(item.name)


def _look(tree: Tree, ref: ItemRef) -> DriveItem | None:
    try:
        return get_item(tree.graph, ref)
    except NotFound:
        return None
