"""PUT: all of a body becomes the content of a path, or nothing of it.

One request for a small body without times, an upload session for the others (facts/graph.md §3): times go into the
session, so that a save makes one version. Graph makes missing folders on a PUT by path without asking, where DAV wants
409: so the folder must be known, or is looked up.
"""

from __future__ import annotations

import unicodedata

from davbridge.body import Body
from davbridge.drivers.downloading import check_match
from davbridge.drivers.items import to_item
from davbridge.drivers.protocol import Times, Written
from davbridge.drivers.quickxor import quick_xor_hash
from davbridge.drivers.tree import Tree, folder_key, own_ref
from davbridge.drivers.uploads import Uploads
from davbridge.errors import (
    AlreadyExists,
    Locked,
    NotFound,
    ParentNotFound,
    PreconditionFailed,
    UnknownOutcome,
    Unsupported,
)
from davbridge.graph.items import get_item, update_item
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.graph.uploads import SIMPLE_LIMIT, put_content, upload
from davbridge.mirror.keys import content_key
from davbridge.paths import DavPath

NO_TIMES = Times()


def stored_name(name: str) -> str:
    """The spelling to send: OneDrive takes NFC and NFD for the same name, and NFC is what others expect to see."""
    return unicodedata.normalize("NFC", name)


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
    times = times or NO_TIMES
    folder = tree.folder(path.parent)
    in_session = body.length > SIMPLE_LIMIT or (body.length > 0 and times != NO_TIMES)
    old = _old(tree, path, if_match, if_absent, fresh=in_session)
    target = old.remote if old and old.remote else folder.child(stored_name(path.name))
    try:
        if in_session:
            item, created = upload(
                tree.graph, target, body, fail_if_exists=if_absent, created=times.created, modified=times.modified
            )
        else:
            item, created = _put(tree, path, target, body, old if if_match else None, if_match, if_absent)
            if times != NO_TIMES:
                item = update_item(tree.graph, own_ref(item), created=times.created, modified=times.modified)
    except AlreadyExists:
        raise _conflict(tree, path, if_absent) from None
    except NotFound:
        tree.cache.forget_key(folder_key(folder))
        raise ParentNotFound(f"the folder {path.parent} does not exist any more") from None
    if old and old.remote:
        tree.urls.drop(content_key(old))
        tree.cache.forget(old)
        return Written(to_item(item), False)
    tree.cache.wrote(item)
    tree.urls.drop(content_key(item))
    if created:
        uploads.record(item.id)
    return Written(to_item(item), created)


def _old(tree: Tree, path: DavPath, if_match: str | None, if_absent: bool, *, fresh: bool) -> DriveItem | None:
    """What stands at `path`, as far as it matters: looked up for `if_match` only.

    A session can't be bound to a version (§3.2), so for one the item is read again just before.
    """
    if if_match is None:
        old = tree.known(path)
    else:
        old = tree.look(path, fresh=fresh)
        if old is None:
            raise PreconditionFailed(f"{path} does not exist")
    if old is not None:
        if if_absent:
            raise PreconditionFailed(f"{path} exists")
        if old.kind != "file":
            raise Unsupported(f"{path} is a folder and has no content")
        check_match(old, if_match, path)
    return old


def _put(
    tree: Tree,
    path: DavPath,
    target: ItemRef,
    body: Body,
    bound: DriveItem | None,
    if_match: str | None,
    if_absent: bool,
) -> tuple[DriveItem, bool]:
    data = body.read(body.length)
    tag = (bound.ctag or bound.etag) if bound else None
    content_type = body.content_type
    for attempt in (1, 2):
        try:
            return put_content(
                tree.graph, target, data, content_type=content_type, fail_if_exists=if_absent, if_match=tag
            )
        except PreconditionFailed:
            if bound is None or attempt == 2:
                raise
            # metadata may have changed since, which is no change for DAV: compare again (§2.4)
            bound = tree.find(path, fresh=True)
            check_match(bound, if_match, path)
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
    try:
        item = get_item(tree.graph, target)
    except NotFound:
        return None
    if item.size == len(data) and item.quick_xor_hash in ("", quick_xor_hash(data)):
        return item, known is None
    if known is not None and (item.ctag or item.etag) == (known.ctag or known.etag):
        return None
    raise UnknownOutcome("the answer to the upload was lost, and the file holds something else")


def _conflict(tree: Tree, path: DavPath, if_absent: bool) -> Exception:
    """Why Graph said that the name is taken."""
    tree.cache.forget_path(path)
    item = tree.look(path, fresh=True)
    if item is not None and item.kind != "file" and not if_absent:
        return Unsupported(f"{path} is a folder and has no content")
    if if_absent:
        return PreconditionFailed(f"{path} exists")
    # business drives take one upload session a file (§3.2)
    return Locked(f"{path} is being written by somebody else")
