"""What a PROPFIND lists: the item, with its children, or with the whole tree below it.

Each function gives blocks of bytes: a list when all is made, an iterator when it is made while it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from davbridge.dav.message import Request
from davbridge.dav.propfind.folder import Folder, close, write_own
from davbridge.dav.propfind.hrefs import escaped_href, leaves_of
from davbridge.dav.propfind.render import TAIL, Page
from davbridge.dav.propfind.wanted import Wanted
from davbridge.dav.refusal import Refusal
from davbridge.drivers.protocol import Item
from davbridge.errors import NotFound, Unsupported
from davbridge.paths import DavPath

Blocks = list[bytes] | Iterator[bytes]


class Kept(list[bytes]):
    """Blocks that were made before; under `key` other forms of the same bytes can be kept, too."""

    key: tuple[object, ...] = ()


class Listing:
    """One request's listing. `with_self` false leaves the folder itself out (MS-WDV, `1,noroot`)."""

    def __init__(self, request: Request, wanted: Wanted, *, with_self: bool = True) -> None:
        self._request = request
        self._wanted = wanted
        self._with_self = with_self
        self._page = Page(request, wanted)
        self._base = escaped_href(request.prefix)

    def item(self) -> Blocks:
        """Depth 0."""
        return [self._first(self._request.driver.stat(self._request.path)), TAIL]

    def children(self) -> Blocks:
        """Depth 1; a file is a listing of itself, since rclone and davfs2 ask so."""
        request = self._request
        try:
            item, children = request.driver.children(request.path)
        except Unsupported:
            return self.item()
        try:
            first = self._first(item)
            folder = Folder(request, self._wanted, self._page, request.path, self._base)
            prepared = request.shared.prepared
            if not item.stamp or not folder.is_plain:
                return self._made(first, folder, children)
            key = (request.mount.name, item.id, item.stamp, self._base, self._page.key)
            if (kept := prepared.get(key)) is not None:
                close(children)
                blocks = Kept([first, kept, TAIL])
                blocks.key = ("packed", first, *key)
                return blocks
        except BaseException:
            close(children)
            raise
        return self._kept(first, folder, children, key)

    def _made(self, first: bytes, folder: Folder, children: Iterable[Item]) -> Iterator[bytes]:
        yield first
        yield from folder.blocks(children)
        yield TAIL

    def _kept(self, first: bytes, folder: Folder, children: Iterable[Item], key: tuple[object, ...]) -> Iterator[bytes]:
        """As `_made`, and what was made is kept for the next time once it is whole."""
        prepared = self._request.shared.prepared
        parts: list[bytes] | None = []
        size = 0
        yield first
        for block in folder.blocks(children):
            size += len(block)
            if parts is not None:
                parts.append(block)
                if size > prepared.largest:
                    parts = None
            yield block
        if parts is not None:
            prepared.put(key, b"".join(parts))
        yield TAIL

    def tree(self, limit: int) -> Blocks:
        """Depth infinity, each folder before what is in it: whole, or not at all.

        Raises:
            Refusal: 403 for more than `limit` items.
        """
        request = self._request
        item, children = self._open(request.path)
        blocks = [self._first(item)]
        left = limit - 1
        waiting = [(request.path, self._base, children)]
        while waiting:
            path, base, children = waiting.pop()
            folder = Folder(request, self._wanted, self._page, path, base)
            items = []
            for child in children:
                items.append(child)
                left -= 1
                if left < 0:
                    close(children)
                    raise too_deep(limit)
            blocks += folder.blocks(items)
            for child, leaf in zip(items, leaves_of(items), strict=True):
                if child.is_folder:
                    below = path.child(child.name)
                    waiting.append((below, f"{base}/{escaped_href(leaf)}", _Later(self, below)))
        return [*blocks, TAIL]

    def _open(self, path: DavPath) -> tuple[Item, Iterable[Item]]:
        try:
            return self._request.driver.children(path)
        except Unsupported:
            return self._request.driver.stat(path), ()

    def open_later(self, path: DavPath) -> Iterable[Item]:
        """The children of a folder that was there a moment ago."""
        try:
            return self._open(path)[1]
        except NotFound:
            return ()

    def _first(self, item: Item) -> bytes:
        """Everything up to the first child."""
        head = self._page.head
        if item.is_folder and not self._with_self:
            return head
        own = write_own(self._request, self._wanted, self._page, self._base, item)
        return head + own.encode("utf-8", "replace")


class _Later:
    """A folder's children, asked for when their turn comes."""

    def __init__(self, listing: Listing, path: DavPath) -> None:
        self._listing = listing
        self._path = path

    def __iter__(self) -> Iterator[Item]:
        return iter(self._listing.open_later(self._path))


def too_deep(limit: int) -> Refusal:
    """403 for a tree of more than `limit` items (RFC 4918 §9.1.1), with a way out for the client and the host."""
    why = f"the tree holds more than {limit} items" if limit else "Depth: infinity is switched off"
    ways = "ask with Depth 1, folder by folder, or let server.infinite_depth allow more in the bridge's configuration"
    return Refusal(403, f"{why}: {ways} (now {limit})", condition="propfind-finite-depth")
