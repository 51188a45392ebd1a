"""What has changed in a tree, and what in it matches: answered by the mirror while its drive is live, at no cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from davbridge.drivers.items import to_item
from davbridge.drivers.protocol import Change, Changes, Item
from davbridge.drivers.tree import Tree
from davbridge.errors import Busy, Unsupported
from davbridge.mirror import changes as mirror_changes
from davbridge.mirror.finding import find
from davbridge.mirror.keys import content_key
from davbridge.mirror.mirror import stamp_of
from davbridge.mirror.rows import item_of
from davbridge.mirror.tokens import Token
from davbridge.paths import DavPath
from davbridge.query import Query
from davbridge.store.database import Row


def sync_token(tree: Tree) -> str:
    """The present moment; empty while the drive is not live."""
    mirror = tree.cache
    return Token.at(mirror.file.sequence).text(mirror.file.epoch) if mirror.is_live() else ""


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
    told = tuple(
        Change(one.path, None if one.row is None else _item(tree, one.row, drive_id), one.folder) for one in page.told
    )
    return Changes(told, page.token, page.more)


def search(tree: Tree, path: DavPath, query: Query, *, deep: bool) -> Iterable[tuple[DavPath, Item]]:
    """Raises: as `Searches.search`."""
    drive_id, folder = _folder(tree, path)
    file = tree.cache.file

    def found() -> Iterator[tuple[DavPath, Item]]:
        for where, row in find(file, file.number(drive_id), folder, path, query, deep=deep):
            yield where, _item(tree, row, drive_id)

    return found()


def _folder(tree: Tree, path: DavPath) -> tuple[str, str]:
    """The folder's drive and id. Shortcuts lead to drives that nobody watches."""
    item = tree.find(path)
    if item.kind == "file":
        raise Unsupported(f"{path} is a file")
    if item.remote or not tree.cache.is_live():
        raise Unsupported("nobody watches this tree at the moment")
    return content_key(item)


def _item(tree: Tree, row: Row, drive_id: str) -> Item:
    item = item_of(row, drive_id)
    if item.kind != "file":
        item = replace(item, stamp=stamp_of(tree.cache.file.epoch, row["below"]))
    return to_item(item)
