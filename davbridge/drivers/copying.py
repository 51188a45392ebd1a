"""COPY on the server: one call and its monitor, for a file as for a tree (facts/graph.md §4.4)."""

from __future__ import annotations

from dataclasses import replace as changed

from davbridge.clock import Clock
from davbridge.drivers.items import to_item
from davbridge.drivers.moving import missing, parent_of, set_aside, standing
from davbridge.drivers.pairs import check_pair
from davbridge.drivers.protocol import Written
from davbridge.drivers.tree import LAG_PAUSES, Tree, content_ref, folder_key, own_ref
from davbridge.errors import AlreadyExists, NotFound, UnknownOutcome, Unsupported
from davbridge.graph.copies import copy_item
from davbridge.graph.items import create_folder, update_item
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.mirror.keys import own_key
from davbridge.paths import DavPath


def copy(
    tree: Tree, clock: Clock, source: DavPath, target: DavPath, *, replace: bool, deep: bool, replaces_files: bool
) -> Written:
    """`replaces_files`: the drive honours conflictBehavior=replace on copies; personal ones do not (§4.4).

    Raises: as `Driver.copy`.
    """
    check_pair(source, target, replace=replace)
    with tree.places(target):
        return _copy(tree, clock, source, target, replace=replace, deep=deep, replaces_files=replaces_files)


def _copy(
    tree: Tree, clock: Clock, source: DavPath, target: DavPath, *, replace: bool, deep: bool, replaces_files: bool
) -> Written:
    item = tree.find(source)
    old = standing(tree, source, target)
    if old is not None and own_key(old) == own_key(item):
        raise Unsupported(f"{source} cannot be copied onto itself")
    if old is not None and not replace:
        raise AlreadyExists(f"{target} exists")
    parent = parent_of(tree, item, old, source, target)
    if old is None:
        try:
            return Written(to_item(_make(tree, clock, item, parent, target, deep=deep)), True)
        except AlreadyExists:
            # somebody was faster, or a look-up lagged behind
            tree.cache.forget_path(target)
            old = tree.look(target, fresh=True)
            if not replace or old is None:
                raise
    if replaces_files and item.kind == old.kind == "file" and not old.remote:
        made = _make(tree, clock, item, parent, target, deep=deep, replaced=old)
        return Written(to_item(made), False)
    with set_aside(tree, old, item, "copy" if deep or item.kind == "file" else "shallow"):
        made = _make(tree, clock, item, parent, target, deep=deep)
    return Written(to_item(made), False)


def _make(
    tree: Tree,
    clock: Clock,
    item: DriveItem,
    parent: ItemRef,
    target: DavPath,
    *,
    deep: bool,
    replaced: DriveItem | None = None,
) -> DriveItem:
    name = target.name
    if item.kind == "folder" and not deep:
        made = create_folder(tree.graph, parent, name)
        made = update_item(tree.graph, own_ref(made), created=item.created, modified=item.modified)
        tree.cache.wrote(made)
        return made
    try:
        made_id = copy_item(tree.graph, content_ref(item), parent=parent, name=name, replace=replaced is not None)
    except NotFound:
        raise missing(tree, item, parent, target) from None
    except UnknownOutcome:
        if item.kind != "file" or replaced is not None:
            raise  # of a tree nobody can tell whether it is complete
        return _arrived(tree, clock, item, target)
    if replaced is not None and made_id != replaced.id:
        tree.cache.removed(replaced)
    return _remember(tree, clock, item, parent, target, made_id)


def _arrived(tree: Tree, clock: Clock, item: DriveItem, target: DavPath) -> DriveItem:
    """After a lost answer: the copy, if it turns up at a name that was free before (law 3).

    Raises: UnknownOutcome.
    """
    for pause in LAG_PAUSES:
        clock.sleep(pause)
        tree.cache.forget_path(target)
        made = tree.look(target, fresh=True)
        if made is not None and made.kind == "file" and alike(made, item):
            return tree.cache.wrote(made)
    raise UnknownOutcome("the answer to the copy was lost, and it has not turned up")


def alike(made: DriveItem, item: DriveItem) -> bool:
    """Whether two files have the same content, as far as Graph tells: some drives tell no hash (§2.8)."""
    known = made.quick_xor_hash and item.quick_xor_hash
    return made.size == item.size and (not known or made.quick_xor_hash == item.quick_xor_hash)


def _remember(tree: Tree, clock: Clock, item: DriveItem, parent: ItemRef, target: DavPath, made_id: str) -> DriveItem:
    """The new item as far as it is known without another call: its id, and what it was copied from.

    Its eTag is not known, so nobody may be shown this from the cache: the next question reads it by id, which works at
    once where a look-up by path may lag (§12.2).
    """
    now = clock.now().replace(microsecond=0)
    made = changed(
        item,
        id=made_id,
        drive_id=parent.drive_id,
        parent_id=parent.item_id,
        name=target.name,
        etag="",
        ctag="",
        created=now,
        modified=now,
        remote=None,
        download_url=None,
    )
    if made_id:
        tree.cache.expect(made)
        return made
    tree.cache.forget_children(folder_key(parent))
    tree.cache.forget_path(target)
    try:
        return tree.find(target, fresh=True)
    except NotFound:
        return made
