"""MOVE: one PATCH, also onto an existing file and for a case-only rename; a safe-save keeps the target's id.

Graph replaces a file by a file in the same PATCH (facts/graph.md §4.2); where a folder is involved, what stands at the
target is set aside, and deleted when the move has succeeded, or put back.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from davbridge.body import Body
from davbridge.drivers.downloading import open_file
from davbridge.drivers.items import to_item
from davbridge.drivers.pairs import check_pair
from davbridge.drivers.protocol import Written
from davbridge.drivers.storing import SESSION_SECONDS
from davbridge.drivers.tree import Tree, folder_key, own_ref
from davbridge.drivers.uploads import Uploads
from davbridge.errors import AlreadyExists, BridgeError, Locked, NotFound, ParentNotFound, UnknownOutcome, Unsupported
from davbridge.graph.items import delete_item, get_item, read_back, update_item
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.graph.uploads import put_content, upload
from davbridge.killpoint import killpoint
from davbridge.mirror.keys import content_key, key_of, own_key
from davbridge.paths import DavPath, compose
from davbridge.store.journal import Journal, SetAside

log = logging.getLogger(__name__)


def move(tree: Tree, uploads: Uploads, source: DavPath, target: DavPath, *, replace: bool) -> Written:
    """Raises: as `Driver.move`."""
    check_pair(source, target, replace=replace)
    with tree.turn(target), tree.places(source, target):
        return _move(tree, uploads, source, target, replace=replace)


def _move(tree: Tree, uploads: Uploads, source: DavPath, target: DavPath, *, replace: bool) -> Written:
    item = tree.find(source)
    same = source.folded == target.folded
    old = None if same else standing(tree, source, target)
    if same or (old is not None and own_key(old) == own_key(item)):
        return _respell(tree, item, source, target)
    if old is not None and not replace:
        raise AlreadyExists(f"{target} exists")
    parent = parent_of(tree, item, old, source, target)
    if old is None:
        try:
            return Written(to_item(_patch(tree, item, parent, target, replace=False)), True)
        except AlreadyExists:
            # somebody was faster, or a look-up lagged behind
            tree.cache.forget_path(target)
            old = tree.look(target, fresh=True)
            if not replace or old is None:
                raise
    if item.kind == old.kind == "file" and not item.remote and not old.remote:
        if uploads.is_fresh(item.id):
            return _save(tree, uploads, item, old, source, target)
        try:
            return Written(to_item(_patch(tree, item, parent, target, replace=True, replaced=old)), False)
        except AlreadyExists:
            log.info("a rename onto an existing file was refused; setting that aside")
    with set_aside(tree, old, item, "move"):
        moved = _patch(tree, item, parent, target, replace=False)
    return Written(to_item(moved), False)


def standing(tree: Tree, source: DavPath, target: DavPath) -> DriveItem | None:
    """What is at the target. None may also mean "not known" for a long folder: Graph's own refusal tells then.

    Raises: ParentNotFound.
    """
    if source.parent.folded != target.parent.folded and not tree.survey(target.parent):
        return tree.known(target)
    return tree.look(target)


def parent_of(tree: Tree, item: DriveItem, old: DriveItem | None, source: DavPath, target: DavPath) -> ItemRef:
    """The target's folder, by id wherever that is told by something that we know already.

    Raises: ParentNotFound, Unsupported.
    """
    if old is not None and old.parent_id:
        return ItemRef(old.drive_id, old.parent_id)
    if source.parent.folded == target.parent.folded and item.parent_id:
        return ItemRef(item.drive_id, item.parent_id)
    return tree.folder(target.parent)


@contextmanager
def set_aside(tree: Tree, old: DriveItem, source: DriveItem, how: str) -> Iterator[None]:
    """Give `old` another name for the block; delete it after success, give the name back after a failure.

    `source` is what comes in its place, `how` as in `SetAside`: a process that dies meanwhile leaves it to another.
    What fails here is tried again there, too.
    """
    name = f"davbridge-replaced-{secrets.token_hex(8)}"
    work = SetAside(old.drive_id, old.parent_id, old.id, old.name, name, source.drive_id, source.id, how)
    journal = tree.desk.journal
    number = journal.begin(work)
    killpoint("replacing journaled")
    try:
        aside = _renamed(tree, old, name)
    except BaseException:
        _close(journal, number, known=False)
        raise
    killpoint("target set aside")
    tree.cache.removed(old)
    try:
        yield
    except BaseException:
        _close(journal, number, known=_given_back(tree, old, aside))
        raise
    killpoint("target replaced")
    try:
        with suppress(NotFound):
            delete_item(tree.graph, own_ref(aside))
    except BridgeError as error:
        # the move itself is done, and the client must hear that
        log.error("a replaced item could not be deleted yet and stays as %r: %s", aside.name, error)
        tree.cache.forget_children(key_of(old.drive_id, old.parent_id))
        _close(journal, number, known=False)
        return
    killpoint("replaced deleted")
    _close(journal, number, known=True)


def _given_back(tree: Tree, old: DriveItem, aside: DriveItem) -> bool:
    """Whether it has its name again."""
    try:
        tree.cache.wrote(update_item(tree.graph, own_ref(aside), name=old.name))
    except BridgeError as error:
        log.error("an item that was to be replaced could not get its name back yet and is %r: %s", aside.name, error)
        tree.cache.forget_children(key_of(old.drive_id, old.parent_id))
        return False
    return True


def _close(journal: Journal, number: int, *, known: bool) -> None:
    """The outcome is known, or somebody else is to find it out. A journal that fails leaves it to the next start."""
    with suppress(BridgeError):
        (journal.end if known else journal.leave)(number)


def _renamed(tree: Tree, old: DriveItem, name: str) -> DriveItem:
    """`old` under a name that nobody else uses; after a lost answer it must not be left there unnoticed."""
    try:
        return update_item(tree.graph, own_ref(old), name=name)
    except UnknownOutcome:
        try:
            found = read_back(tree.graph, own_ref(old))
        except UnknownOutcome:
            with suppress(BridgeError):
                update_item(tree.graph, own_ref(old), name=old.name)
            raise
        if found is not None and found.name == name:
            return found
        return update_item(tree.graph, own_ref(old), name=name)


def _respell(tree: Tree, item: DriveItem, source: DavPath, target: DavPath) -> Written:
    """The same place, maybe in another spelling; the service does not see NFC against NFD as another (§9.3)."""
    if compose(target.name) == compose(item.name):
        return Written(to_item(item), source != target)
    parent = ItemRef(item.drive_id, item.parent_id)
    return Written(to_item(_patch(tree, item, parent, target, replace=False)), source != target)


def _patch(
    tree: Tree,
    item: DriveItem,
    parent: ItemRef,
    target: DavPath,
    *,
    replace: bool,
    replaced: DriveItem | None = None,
) -> DriveItem:
    """The one call. A file's times go with it, since a move may reset them (§4.2)."""
    if parent.path.is_root and parent.drive_id.lower() != item.drive_id.lower():
        raise Unsupported("items cannot be moved into a folder that lies on another drive")
    name = target.name
    stays = parent.path.is_root and parent.item_id == item.parent_id
    is_file = item.kind == "file" and not item.remote
    for attempt in (1, 2):
        try:
            moved = update_item(
                tree.graph,
                own_ref(item),
                name=name,
                parent=None if stays else parent,
                created=item.created if is_file and not stays else None,
                modified=item.modified if is_file and not stays else None,
                replace=replace,
            )
            break
        except NotFound:
            raise missing(tree, item, parent, target) from None
        except UnknownOutcome:
            found = read_back(tree.graph, own_ref(item))
            if found is None:
                raise missing(tree, item, parent, target) from None
            same_name = compose(found.name) == compose(name)
            arrived = same_name and (not parent.path.is_root or found.parent_id == parent.item_id)
            if arrived:
                moved = found
                break
            if attempt == 2:
                raise
    if replaced is not None:
        tree.cache.removed(replaced)
        tree.urls.drop(content_key(replaced))
    return tree.cache.wrote(moved)


def missing(tree: Tree, item: DriveItem, parent: ItemRef, target: DavPath) -> Exception:
    """Which of the two is not there: the item, or the folder."""
    try:
        get_item(tree.graph, own_ref(item))
    except NotFound:
        tree.cache.forget(item)
        return NotFound(f"{item.name!r} does not exist any more")
    tree.cache.forget_key(folder_key(parent))
    return ParentNotFound(f"the folder {target.parent} does not exist")


def _save(tree: Tree, uploads: Uploads, item: DriveItem, old: DriveItem, source: DavPath, target: DavPath) -> Written:
    """Safe-save: the bytes become a new version of `old`, which keeps its id, links and history; then `item` goes.

    The bytes pass through the bridge, since Graph cannot do this by itself. The source is deleted only after the
    service has confirmed the new version; times go with it, as rsync compares them after its rename.
    """
    where = ItemRef(old.drive_id, old.parent_id).child(old.name)
    with open_file(tree, source, None, None) as download:
        try:
            if download.length:
                body = Body(download, download.length)
                saved, _ = upload(tree.graph, where, body, tree.desk, created=old.created, modified=item.modified)
            else:
                saved, _ = put_content(tree.graph, where, b"")
        except AlreadyExists:
            # business drives take one upload session a file (§3.2)
            raise Locked(f"{target} is being written by somebody else", SESSION_SECONDS) from None
    killpoint("saved")
    saved = tree.cache.wrote(saved)
    tree.urls.drop(content_key(saved))
    with suppress(NotFound):
        delete_item(tree.graph, own_ref(item))
    killpoint("source deleted")
    tree.cache.removed(item)
    tree.urls.drop(content_key(item))
    uploads.forget(item.id)
    return Written(to_item(saved), False)
