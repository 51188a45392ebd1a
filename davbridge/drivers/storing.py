"""PUT: all of a body becomes the content of a path, or nothing of it.

One request for a small body without times, an upload session for the others (facts/graph.md §3): times go into the
session, so that a save makes one version. Graph makes missing folders on a PUT by path without asking, where DAV wants
409: so the folder must be known, or is looked up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from davbridge.body import Body
from davbridge.drivers.downloading import check_match
from davbridge.drivers.items import to_item
from davbridge.drivers.protocol import Times, Written
from davbridge.drivers.tree import Tree, folder_key, own_ref
from davbridge.drivers.uploads import Uploads
from davbridge.errors import (
    AlreadyExists,
    BridgeError,
    Locked,
    NotFound,
    ParentNotFound,
    PreconditionFailed,
    RequestRefused,
    UnknownOutcome,
    Unsupported,
)
from davbridge.graph.batch import LARGEST, IfFolder, NotDone
from davbridge.graph.integrity import Mismatch, check_stored, is_content
from davbridge.graph.items import delete_item, read_back, update_item
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.graph.quickxor import quick_xor_hash
from davbridge.graph.uploads import SIMPLE_LIMIT, already_stored, put_content, upload
from davbridge.killpoint import killpoint
from davbridge.mirror.keys import content_key
from davbridge.paths import DavPath

log = logging.getLogger(__name__)
NO_TIMES = Times()
SESSION_SECONDS = 60.0
"""When to look again for the end of another upload: it may be over at any moment, and at the latest in 15 minutes."""
_BRIEF = 2.0
"""Seconds in which nobody is expected to change a file that was just looked at: not worth another call."""


def store(
    tree: Tree,
    uploads: Uploads,
    path: DavPath,
    body: Body,
    *,
    if_match: str | None,
    if_absent: bool,
    times: Times | None,
) -> Written:
    """Raises: as `Driver.put`."""
    path.check()
    if path.is_root:
        raise Unsupported("the root is a folder and has no content")
    with tree.turn(path), ExitStack() as stack:
        job = _Job(path, body, if_match, if_absent, times or NO_TIMES, _Place(tree, path, stack))
        return _store(tree, uploads, job)


def _store(tree: Tree, uploads: Uploads, job: _Job) -> Written:
    path, if_absent = job.path, job.if_absent
    old = _old(tree, job)
    try:
        item, created = _store_unseen(tree, job) or _store_seen(tree, job, old)
    except AlreadyExists:
        raise _conflict(tree, path, if_absent) from None
    except Mismatch:
        tree.cache.forget_path(path)
        raise
    if old and old.remote:
        tree.urls.drop(content_key(old))
        tree.cache.forget(old)
        return Written(to_item(item), False)
    item = tree.cache.wrote(item)
    killpoint("mirror told")
    tree.urls.drop(content_key(item))
    if created:
        uploads.record(item.id)
    return Written(to_item(item), created)


class _Place:
    """Nobody moves or deletes what is at the path, from just before the commit until the mirror has been told.

    Else the mirror could hear of a move first and then of the place where the content was stored before it. Not for as
    long as the body comes: that may be hours.
    """

    def __init__(self, tree: Tree, path: DavPath, stack: ExitStack) -> None:
        self._tree, self._path, self._stack = tree, path, stack
        self._taken = False

    def take(self) -> None:
        """Raises: Locked."""
        if not self._taken:
            self._stack.enter_context(self._tree.places(self._path))
            self._taken = True


@dataclass(frozen=True)
class _Job:
    """What `Driver.put` was asked for."""

    path: DavPath
    body: Body
    if_match: str | None
    if_absent: bool
    times: Times
    place: _Place

    @property
    def name(self) -> str:
        return self.path.name

    def in_session(self, limit: int) -> bool:
        return self.body.length > limit or (self.body.length > 0 and self.times != NO_TIMES)

    def upload(self, tree: Tree, target: ItemRef, only_if: IfFolder | None = None) -> tuple[DriveItem, bool]:
        created, modified = self.times.created, self.times.modified
        return upload(
            tree.graph,
            target,
            self.body,
            tree.desk,
            fail_if_exists=self.if_absent,
            created=created,
            modified=modified,
            only_if=only_if,
            before_commit=self._before_commit(tree),
        )

    def _before_commit(self, tree: Tree) -> Callable[[], None]:
        compare = None if self.if_match is None else self._comparison(tree)

        def before() -> None:
            self.place.take()
            if compare is not None:
                compare()

        return before

    def _comparison(self, tree: Tree) -> Callable[[], None]:
        """Reads the item again after an upload that took its time: somebody may have changed it meanwhile."""
        begun = tree.clock.monotonic()

        def compare() -> None:
            if tree.clock.monotonic() - begun < _BRIEF:
                return
            item = tree.look(self.path, fresh=True)
            if item is None:
                raise PreconditionFailed(f"{self.path} does not exist any more")
            check_match(item, self.if_match, self.path)

        return compare


def _store_seen(tree: Tree, job: _Job, old: DriveItem | None) -> tuple[DriveItem, bool]:
    """Write below a folder that is known, or looked up now."""
    folder = tree.folder(job.path.parent)
    target = old.remote if old and old.remote else folder.child(job.name)
    try:
        if job.in_session(SIMPLE_LIMIT):
            return job.upload(tree, target)
        item, created = _put(tree, job, target, old if job.if_match else None)
        return _timed(tree, job, item), created
    except RequestRefused:
        tree.check_folder(job.path.parent)
        raise
    except NotFound:
        if old is not None and job.if_match is not None:
            # with If-Match the item itself may be what is missing
            tree.cache.forget(old)
            raise PreconditionFailed(f"{job.path} does not exist any more") from None
        tree.cache.forget_key(folder_key(folder))
        raise ParentNotFound(f"the folder {job.path.parent} does not exist any more") from None


def _timed(tree: Tree, job: _Job, item: DriveItem) -> DriveItem:
    """An empty file with the client's times, which no session can give it."""
    if job.times == NO_TIMES:
        return item
    created, modified = job.times.created, job.times.modified
    try:
        try:
            return update_item(tree.graph, own_ref(item), created=created, modified=modified)
        except UnknownOutcome:  # the same times once more do no harm
            return update_item(tree.graph, own_ref(item), created=created, modified=modified)
    except BridgeError:
        tree.cache.wrote(item)  # the file is there all the same
        raise


def _store_unseen(tree: Tree, job: _Job) -> tuple[DriveItem, bool] | None:
    """Write below a folder of which nothing is known, and look at it in the same call (decision 003).

    None when there was no need to, or it could not be done so: then do it in two steps.
    """
    where = tree.unseen(job.path.parent)
    if where is None or job.body.length == 0 or job.if_match is not None:
        return None
    only_if = IfFolder(tree.graph, where)
    target = where.child(job.name)
    since = tree.cache.now()
    in_session = job.in_session(LARGEST)
    try:
        if in_session:
            stored = job.upload(tree, target, only_if)
        else:
            data, kind = job.body.whole(), job.body.content_type
            job.place.take()
            stored = put_content(only_if, target, data, content_type=kind, fail_if_exists=job.if_absent)
            check_stored(stored[0], len(data), quick_xor_hash(data))
    except Mismatch:
        if in_session or job.if_absent:
            raise
        return None
    except NotDone as error:
        return already_stored(tree.graph, target, job.body.whole()) if error.unsure and not in_session else None
    except UnknownOutcome:
        found = None if in_session else _reconciled(tree, target, job.body.whole(), job.path)
        if found is None:
            raise
        return found
    finally:
        if only_if.folder is not None:
            tree.take_folder(only_if.folder, job.path.parent, since)
    if stored[1] and only_if.folder is not None and only_if.folder.kind == "package":
        delete_item(tree.graph, own_ref(stored[0]))  # made just now, where nobody would have put it knowingly
        raise Unsupported(f"{job.path.parent} is a OneNote notebook and cannot be written into")
    return stored


def _old(tree: Tree, job: _Job) -> DriveItem | None:
    """What stands at the path, as far as it matters: looked up for `if_match` only.

    A session can't be bound to a version (§3.2), so for one the item is read again just before, and before the commit.
    """
    path = job.path
    if job.if_match is None:
        old = tree.known(path)
    else:
        old = tree.look(path, fresh=job.in_session(SIMPLE_LIMIT))
        if old is None:
            tree.folder(path.parent)
            raise PreconditionFailed(f"{path} does not exist")
    if old is not None:
        if job.if_absent:
            raise PreconditionFailed(f"{path} exists")
        if old.kind != "file":
            raise Unsupported(f"{path} is a folder and has no content")
        check_match(old, job.if_match, path)
    return old


def _put(tree: Tree, job: _Job, target: ItemRef, bound: DriveItem | None) -> tuple[DriveItem, bool]:
    data, path = job.body.whole(), job.path
    job.place.take()
    tag = (bound.ctag or bound.etag) if bound else None
    for attempt in (1, 2):
        try:
            stored = put_content(
                tree.graph,
                target,
                data,
                content_type=job.body.content_type,
                fail_if_exists=job.if_absent and attempt == 1,
                if_match=tag,
            )
            check_stored(stored[0], len(data), quick_xor_hash(data))
            return stored
        except Mismatch as error:
            if bound is not None or attempt == 2:
                raise
            log.warning("an upload is sent once more: %s", error)
        except PreconditionFailed:
            if bound is None or attempt == 2:
                raise
            # metadata may have changed since, which is no change for DAV: compare again (§2.4)
            bound = tree.find(path, fresh=True)
            check_match(bound, job.if_match, path)
            tag = bound.etag
        except UnknownOutcome:
            item = _reconciled(tree, target, data, path)
            if item is not None:
                return item
            if attempt == 2:
                raise
    raise AssertionError("unreachable")


def _reconciled(tree: Tree, target: ItemRef, data: bytes, path: DavPath) -> tuple[DriveItem, bool] | None:
    """After a lost answer: the item if its content is what we sent, None if nothing of it arrived (law 3).

    Raises: UnknownOutcome when that cannot be told.
    """
    known = tree.known(path)
    item = read_back(tree.graph, target)
    if item is None:
        return None
    if is_content(item, len(data), quick_xor_hash(data)):
        return item, known is None
    if known is not None and (item.ctag or item.etag) == (known.ctag or known.etag):
        return None
    if known is not None and item.size == len(data) and not item.quick_xor_hash:
        return item, False  # it is another one since
    raise UnknownOutcome("the answer to the upload was lost, and the file holds something else")


def _conflict(tree: Tree, path: DavPath, if_absent: bool) -> Exception:
    """Why Graph said that the name is taken."""
    tree.cache.forget_path(path)
    item = tree.look(path, fresh=True)
    if item is not None and item.kind != "file" and not if_absent:
        return Unsupported(f"{path} is a folder and has no content")
    if if_absent:
        return PreconditionFailed(f"{path} exists")
    # business drives take one upload session a file (§3.2); an abandoned one ends after a quarter of an hour
    return Locked(f"{path} is being written by somebody else", SESSION_SECONDS)
