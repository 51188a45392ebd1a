"""What has changed in a tree, and what in it matches: answered by the mirror while its drive is live, at no cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from davbridge.drivers.items import to_item
from davbridge.drivers.protocol import Change, Changes, Item
from davbridge.drivers.tree import Tree
from davbridge.errors import Busy, Unsupported
from davbridge.mirror import changes as mirror_changes
from davbridge.mirror.finding import find
from davbridge.mirror.keys import own_key
from davbridge.mirror.rows import item_of
from davbridge.mirror.tokens import Token
from davbridge.paths import DavPath
from davbridge.query import Query
from davbridge.store.database import Row

_FIRST_SECONDS, _LATE_SECONDS = 30.0, 10.0
"""When to ask again: for a drive that is enumerated, and for one whose next round is due."""


def sync_token(tree: Tree) -> str:
    """The present moment; empty while the drive is not live."""
    mirror = tree.cache
    if not mirror.is_live() or not mirror.is_followed(mirror.root[0]):
        return ""
    return Token.at(mirror.file.sequence).text(mirror.file.epoch)


def changes(tree: Tree, path: DavPath, since: str, *, deep: bool, limit: int | None) -> Changes:
    """Raises: as `Tracks.changes`."""
    drive_id, folder = _folder(tree, path)
    file = tree.cache.file
    question = mirror_changes.Question(
        file.number(drive_id), folder, path, since, file.epoch, file.sequence, deep, limit
    )
    generation = file.generation
    page = mirror_changes.changes(file, question)
    if file.generation != generation or file.is_lost:
        raise Busy("the mirror was lost meanwhile", 1.0)
    item = _reader(tree, drive_id)

    def change(one: mirror_changes.Told) -> Change:
        if one.row is None:
            return Change(one.path, None, one.folder)
        return Change(one.path, item(one.row), one.folder, closed=deep and one.folder and bool(one.row["remote_id"]))

    return Changes(tuple(change(one) for one in page.told), page.token, page.more)


def search(tree: Tree, path: DavPath, query: Query, *, deep: bool) -> Iterable[tuple[DavPath, Item]]:
    """Raises: as `Searches.search`."""
    drive_id, folder = _folder(tree, path)
    file = tree.cache.file
    item = _reader(tree, drive_id)

    def found() -> Iterator[tuple[DavPath, Item]]:
        for where, row in find(file, file.number(drive_id), folder, path, query, deep=deep):
            yield where, item(row)

    return found()


def _folder(tree: Tree, path: DavPath) -> tuple[str, str]:
    """The drive and the id of a folder of which the mirror knows all.

    Raises: NotFound; Unsupported: a file, or a place of which it never will, as where shortcuts lead; Busy: not yet.
    """
    item = tree.find(path)
    if item.kind == "file":
        raise Unsupported(f"{path} is a file")
    key, mirror = own_key(item), tree.cache
    if item.remote or not mirror.is_followed(key[0]):
        raise Unsupported("nobody tells what changes in this folder: it must be listed")
    if not mirror.is_live():
        if mirror.standing.synced:
            raise Busy("what has changed on the drive could not be asked for of late", _LATE_SECONDS)
        raise Busy("the drive is still being read for the first time", _FIRST_SECONDS)
    return key


def _reader(tree: Tree, drive_id: str) -> Callable[[Row], Item]:
    """Makes items of rows (`rows.ITEM`, then `below`) of a live drive."""
    mirror = tree.cache
    stamps = mirror.stamps(mirror.file.number(drive_id), mirror.now())
    return lambda row: to_item(stamps.on(item_of(row, drive_id), row["below"]))
