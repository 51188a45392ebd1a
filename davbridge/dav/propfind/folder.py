"""One folder's children as blocks of XML: in batches, and one by one where locks or dead properties are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from davbridge.dav.locks import Lock
from davbridge.dav.message import Request
from davbridge.dav.propfind.render import Page
from davbridge.dav.propfind.wanted import Wanted
from davbridge.drivers.protocol import Item
from davbridge.paths import DavPath, fold

_BATCH = 256
"""Items a block: some 100 KiB, and a few milliseconds in which other threads wait."""


class Folder:
    """The children of the folder at `path`, whose own href without the last slash is `base` (escaped)."""

    def __init__(self, request: Request, wanted: Wanted, page: Page, path: DavPath, base: str) -> None:
        self._page = page
        self._base = base + "/"
        name, shared = request.mount.name, request.shared
        self._above: list[Lock] = []
        self._locks: dict[str, list[Lock]] = {}
        self._dead: dict[str, dict[str, str]] = {}
        if wanted.locks and shared.locks.any(name):
            self._above = [lock for lock in shared.locks.covering(name, path) if lock.infinite]
            for lock in shared.locks.below(name, path):
                if len(lock.path.names) == len(path.names) + 1:
                    self._locks.setdefault(fold(lock.path.name), []).append(lock)
        if wanted.dead:
            self._dead = shared.deadprops.of_children(name, path)

    @property
    def is_plain(self) -> bool:
        """Whether the bytes follow from the items alone."""
        return not (self._above or self._locks or self._dead)

    def blocks(self, children: Iterable[Item]) -> Iterator[bytes]:
        """The responses of the children, in their order."""
        source = iter(children)
        try:
            while batch := list(islice(source, _BATCH)):
                yield self.write(batch).encode("utf-8", "replace")
        finally:
            close(source)

    def write(self, batch: list[Item]) -> str:
        """The responses of these children."""
        if not self._locks and not self._dead:
            return self._page.write(self._base, batch, self._above)
        parts: list[str] = []
        plain: list[Item] = []
        for item in batch:
            key = fold(item.name)
            locks, dead = self._locks.get(key, []), self._dead.get(key)
            if not locks and not dead:
                plain.append(item)
                continue
            if plain:
                parts.append(self._page.write(self._base, plain, self._above))
                plain = []
            parts.append(self._page.write(self._base, [item], self._above + locks, dead))
        if plain:
            parts.append(self._page.write(self._base, plain, self._above))
        return "".join(parts)


def write_own(request: Request, wanted: Wanted, page: Page, base: str, item: Item) -> str:
    """The response of the request's own item; `base` is its href without the last slash (escaped)."""
    if item.is_folder and request.path.is_root:
        # the root of a mount is known by the mount's name, whatever the drive calls it
        item = replace(item, name=DavPath.parse(request.mount.path).name)
    slash = "/" if item.is_folder or not base else ""
    name, shared = request.mount.name, request.shared
    locks = shared.locks.covering(name, request.path) if wanted.locks and shared.locks.any(name) else ()
    dead = shared.deadprops.get(name, request.path) if wanted.dead else None
    if not locks and not dead:
        return page.write_one(base + slash, item)
    return page.write(base, [item], locks, dead, leaves=[slash])


def close(source: object) -> None:
    """End a one-pass listing that is not read to its end: it may hold a connection."""
    end = getattr(source, "close", None)
    if end is not None:
        end()
