"""How the in-memory driver tells changes: it keeps the whole tree as it was when a token was given, and compares.

That is nothing like what the mirror does, and on purpose: this is what the mirror's way is compared with.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from davbridge.drivers.memorynode import Node
from davbridge.drivers.protocol import Change, Changes, Item
from davbridge.errors import StaleToken
from davbridge.paths import ROOT, DavPath

View = dict[tuple[str, ...], Item]
_KEPT = 1000


def view_of(node: Node, path: DavPath = ROOT) -> Iterator[tuple[DavPath, Item]]:
    """Everything below a folder, with the paths that begin with `path`; folders before what is in them."""
    for child in list(node.children.values()):
        below = path.child(child.name)
        yield below, child.item()
        yield from view_of(child, below)


class Views:
    """The trees of which somebody has a token; the newest thousand."""

    def __init__(self) -> None:
        self._views: OrderedDict[str, View] = OrderedDict()
        self._count = 0

    def token(self, root: Node) -> str:
        """A token of the tree as it is."""
        return self._keep({path.names: replace(item, stamp="") for path, item in view_of(root)})

    def changes(self, root: Node, path: DavPath, since: str, *, deep: bool, limit: int | None) -> Changes:
        """What makes the tree that `since` is a token of into the present one, below `path`.

        Raises: StaleToken.
        """
        if since and since not in self._views:
            raise StaleToken("the sync token is not known here")
        now = {below.names: replace(item, stamp="") for below, item in view_of(root)}
        old = dict(self._views[since]) if since else {}
        changes = list(_differences(_below(old, path, deep=deep), _below(now, path, deep=deep)))
        if limit is None or len(changes) <= limit:
            return Changes(tuple(changes), self._keep(now), more=False)
        for change in changes[:limit]:
            _apply(old, change)
        return Changes(tuple(changes[:limit]), self._keep(old), more=True)

    def _keep(self, view: View) -> str:
        if self._views and next(reversed(self._views.values())) == view:
            return next(reversed(self._views))
        self._count += 1
        token = f"memory-{self._count}"
        self._views[token] = view
        if len(self._views) > _KEPT:
            self._views.popitem(last=False)
        return token


def _below(view: Mapping[tuple[str, ...], Item], path: DavPath, *, deep: bool) -> View:
    """The part below a folder; the folder's names are compared as OneDrive would, and spelt as they were asked for."""
    size = len(path.names)
    return {
        (*path.names, *names[size:]): item
        for names, item in view.items()
        if len(names) > size and (deep or len(names) == size + 1) and DavPath(names).is_within(path)
    }


def _differences(old: View, new: View) -> Iterator[Change]:
    gone: set[tuple[str, ...]] = set()
    for names, item in old.items():
        if names[:-1] in gone:
            gone.add(names)
        elif names not in new:
            gone.add(names)
            yield Change(DavPath(names), None, item.is_folder)
    for names, item in new.items():
        # what was below a file that was a folder is gone without a word, as with a folder that is gone
        if old.get(names) != item:
            yield Change(DavPath(names), item)


def _apply(view: View, change: Change) -> None:
    if change.item is None or not change.item.is_folder:
        for names in [names for names in view if names[: len(change.path.names)] == change.path.names]:
            del view[names]
    if change.item is not None:
        view[change.path.names] = change.item
