"""A driver that keeps its tree in memory: the oracle that every other driver is compared with.

Why here: the contract tests run it first, and whatever it does is what `protocol.py` means. Tests of the DAV layer use
it as a drive without a network. It folds names as OneDrive does, counts quota, makes safe-saves keep the target's id.

It must never grow an ability that `protocol.py` does not name, except `add_package`, for tests.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime

from davbridge.body import Body
from davbridge.clock import Clock
from davbridge.drivers.matching import select
from davbridge.drivers.memorynode import MemoryDownload, Node
from davbridge.drivers.memorysync import Views, view_of
from davbridge.drivers.pairs import check_pair
from davbridge.drivers.protocol import Changes, Item, Kind, Quota, Span, Times, Written
from davbridge.errors import (
    AlreadyExists,
    NotFound,
    ParentNotFound,
    PreconditionFailed,
    QuotaExceeded,
    RangeNotSatisfiable,
    Unsupported,
)
from davbridge.paths import DavPath, fold
from davbridge.query import Query
from davbridge.redact import Secret

SAFE_SAVE_SECONDS = 600.0


class MemoryDriver:
    """A whole drive in memory, `capacity` bytes large (None: it tells no quota). Thread-safe."""

    def __init__(self, clock: Clock, *, capacity: int | None = 2**40) -> None:
        self._clock = clock
        self._capacity = capacity
        self._lock = threading.RLock()
        self._count = 0
        self._changes = 0
        self._root = self._make("", Kind.FOLDER)
        self._views = Views()

    def stat(self, path: DavPath) -> Item:
        with self._lock:
            return self._find(path).item()

    def knows(self, path: DavPath) -> bool:
        return True

    def children(self, path: DavPath) -> tuple[Item, Iterable[Item]]:
        with self._lock:
            node = self._folder(path)
            return node.item(), [child.item() for child in node.children.values()]

    def open(self, path: DavPath, span: Span | None = None, *, if_match: str | None = None) -> MemoryDownload:
        with self._lock:
            node = self._find(path)
            if node.kind is not Kind.FILE:
                raise Unsupported(f"{path} is a folder and has no content")
            item, content = node.item(), node.content
        _check_match(item, if_match)
        start, end = (span.start, span.end) if span else (0, None)
        if span and start >= len(content):
            raise RangeNotSatisfiable(f"{path} has only {len(content)} bytes", len(content))
        return MemoryDownload(item, content, start, len(content) if end is None else min(end, len(content)))

    def redirect_url(self, path: DavPath) -> Secret:
        with self._lock:
            node = self._find(path)
            if node.kind is not Kind.FILE:
                raise Unsupported(f"{path} is a folder and has no content")
            return Secret(f"https://memory.invalid/{node.id}")

    def put(
        self,
        path: DavPath,
        body: Body,
        *,
        if_match: str | None = None,
        if_absent: bool = False,
        times: Times | None = None,
    ) -> Written:
        path.check()
        with self._lock:
            self._check_put(path, body.length, if_match, if_absent)
        content = body.read(body.length)
        with self._lock:
            folder, old = self._check_put(path, len(content), if_match, if_absent)
            node = old
            if node is None:
                node = self._make(path.name, Kind.FILE)
                node.uploaded_at = self._clock.monotonic()
                folder.children[fold(path.name)] = node
            else:
                node.version += 1
            node.content = content
            node.modified = self._now()
            _set(node, times)
            self._touch(path)
            return Written(node.item(), old is None)

    def make_folder(self, path: DavPath) -> Item:
        path.check()
        with self._lock:
            if path.is_root:
                raise AlreadyExists("the root exists")
            folder = self._parent(path)
            if fold(path.name) in folder.children:
                raise AlreadyExists(f"{path} exists")
            node = self._make(path.name, Kind.FOLDER)
            folder.children[fold(path.name)] = node
            self._touch(path)
            return node.item()

    def move(self, source: DavPath, target: DavPath, *, replace: bool) -> Written:
        check_pair(source, target, replace=replace)
        with self._lock:
            node, folder, old = self._check_pair(source, target, replace=replace)
            if old is node:
                node.name = target.name
                self._touch(target)
                return Written(node.item(), source != target)
            if old is not None and _is_safe_save(node, old, self._clock.monotonic()):
                old.content, old.modified = node.content, node.modified
                old.version += 1
                del self._parent(source).children[fold(source.name)]
                self._touch(source.parent)
                self._touch(target)
                return Written(old.item(), False)
            del self._parent(source).children[fold(source.name)]
            self._touch(source.parent)
            node.name = target.name
            folder.children[fold(target.name)] = node
            self._touch(target)
            return Written(node.item(), old is None)

    def copy(self, source: DavPath, target: DavPath, *, replace: bool, deep: bool = True) -> Written:
        check_pair(source, target, replace=replace)
        with self._lock:
            node, folder, old = self._check_pair(source, target, replace=replace)
            if old is node:
                raise Unsupported(f"{source} cannot be copied onto itself")
            size = sum(len(part.content) for part in node.walk()) if deep else len(node.content)
            self._check_room(size - (sum(len(part.content) for part in old.walk()) if old else 0))
            made = self._duplicate(node, deep=deep)
            made.name = target.name
            folder.children[fold(target.name)] = made
            self._touch(target)
            return Written(made.item(), old is None)

    def delete(self, path: DavPath, *, if_match: str | None = None) -> None:
        with self._lock:
            if path.is_root:
                raise Unsupported("the root cannot be deleted")
            _check_match(self._find(path).item(), if_match)
            del self._parent(path).children[fold(path.name)]
            self._touch(path.parent)

    def set_times(self, path: DavPath, times: Times) -> Item:
        with self._lock:
            node = self._find(path)
            _set(node, times)
            self._touch(path)
            return node.item()

    def quota(self) -> Quota | None:
        if self._capacity is None:
            return None
        with self._lock:
            used = sum(len(node.content) for node in self._root.walk())
        return Quota(used, max(0, self._capacity - used))

    def sync_token(self) -> str:
        with self._lock:
            return self._views.token(self._root)

    def changes(self, path: DavPath, since: str, *, deep: bool, limit: int | None = None) -> Changes:
        with self._lock:
            self._folder(path)
            return self._views.changes(self._root, path, since, deep=deep, limit=limit)

    def search(self, path: DavPath, query: Query, *, deep: bool) -> Iterable[tuple[DavPath, Item]]:
        with self._lock:
            folder = self._folder(path)
            found = [one for one in view_of(folder, path) if deep or one[0].parent == path]
        return select(found, query)

    def add_package(self, path: DavPath) -> Item:
        """Make a OneNote notebook, which no DAV request can; for tests."""
        with self._lock:
            node = self._make(path.name, Kind.PACKAGE)
            self._parent(path).children[fold(path.name)] = node
            self._touch(path)
            return node.item()

    def _now(self) -> datetime:
        return self._clock.now().replace(microsecond=0)

    def _touch(self, path: DavPath) -> None:
        """Something has changed at `path`: it and all folders above get a new stamp."""
        self._changes += 1
        for depth in range(len(path.names) + 1):
            self._find(DavPath(path.names[:depth])).touch(self._changes)

    def _make(self, name: str, kind: Kind) -> Node:
        self._count += 1
        return Node(f"M{self._count}", name, kind, self._now(), self._now())

    def _duplicate(self, node: Node, *, deep: bool) -> Node:
        made = self._make(node.name, node.kind)
        made.content, made.created, made.modified = node.content, node.created, node.modified
        if deep:
            made.children = {key: self._duplicate(child, deep=True) for key, child in node.children.items()}
        return made

    def _find(self, path: DavPath) -> Node:
        node = self._root
        for key in path.folded:
            if key not in node.children:
                raise NotFound(f"{path} does not exist")
            node = node.children[key]
        return node

    def _folder(self, path: DavPath) -> Node:
        node = self._find(path)
        if node.kind is Kind.FILE:
            raise Unsupported(f"{path} is a file and has no children")
        return node

    def _parent(self, path: DavPath) -> Node:
        try:
            folder = self._find(path.parent)
        except NotFound:
            raise ParentNotFound(f"the folder {path.parent} does not exist") from None
        if folder.kind is Kind.FILE:
            raise ParentNotFound(f"{path.parent} is a file, not a folder")
        if folder.kind is Kind.PACKAGE:
            raise Unsupported(f"{path.parent} is a OneNote notebook and cannot be written into")
        return folder

    def _check_room(self, more: int) -> None:
        quota = self.quota()
        if quota is not None and more > quota.available:
            raise QuotaExceeded("the drive is full")

    def _check_put(self, path: DavPath, length: int, if_match: str | None, if_absent: bool) -> tuple[Node, Node | None]:
        if path.is_root:
            raise Unsupported("the root is a folder and has no content")
        folder = self._parent(path)
        old = folder.children.get(fold(path.name))
        if old is None:
            if if_match is not None:
                raise PreconditionFailed(f"{path} does not exist")
        elif if_absent:
            raise PreconditionFailed(f"{path} exists")
        elif old.kind is not Kind.FILE:
            raise Unsupported(f"{path} is a folder and has no content")
        else:
            _check_match(old.item(), if_match)
        self._check_room(length - (len(old.content) if old else 0))
        return folder, old

    def _check_pair(self, source: DavPath, target: DavPath, *, replace: bool) -> tuple[Node, Node, Node | None]:
        """The source, the target's folder, and what stands at the target."""
        node = self._find(source)
        folder = self._parent(target)
        old = folder.children.get(fold(target.name))
        if old is not None and old is not node and not replace:
            raise AlreadyExists(f"{target} exists")
        return node, folder, old


def _is_safe_save(node: Node, old: Node, now: float) -> bool:
    fresh = node.uploaded_at is not None and now - node.uploaded_at < SAFE_SAVE_SECONDS
    return fresh and node.kind is Kind.FILE and old.kind is Kind.FILE


def _check_match(item: Item, if_match: str | None) -> None:
    if if_match is not None and if_match not in ("*", item.etag):
        raise PreconditionFailed(f"{item.name!r} has changed")


def _set(node: Node, times: Times | None) -> None:
    if times and times.modified:
        node.modified = times.modified.replace(microsecond=0)
    if times and times.created:
        node.created = times.created.replace(microsecond=0)
