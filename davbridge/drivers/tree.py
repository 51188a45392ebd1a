"""From paths to items: the mirror is asked first, then Graph, once.

Why here: every operation of a Graph driver begins with "which item is that". A path is addressed from the deepest
folder whose id is known (`/items/{id}:/rest/of/path`): one of which nothing is known costs one call, however deep.

It must never write to Graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import islice

from davbridge.cache import ContentCache
from davbridge.clock import Clock
from davbridge.drivers.items import is_shown
from davbridge.drivers.sequence import Sequences
from davbridge.errors import BridgeError, NotFound, ParentNotFound, UnknownOutcome, Unsupported
from davbridge.graph.client import Graph
from davbridge.graph.desk import Desk
from davbridge.graph.items import get_folder, get_item, list_children
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.mirror.keys import Key, content_key, key_of
from davbridge.mirror.mirror import Mirror, Place
from davbridge.mirror.urls import DownloadUrls
from davbridge.paths import DavPath, fold
from davbridge.store.database import Damaged

PAGE = 200
"""Children that Graph tells with their folder in one call (§2.6)."""
LAG_PAUSES = (0.5, 1.0, 2.0)
"""Seconds to wait for an item that Graph said it made and does not show yet (facts/graph.md §4.4, §12.2)."""


def own_ref(item: DriveItem) -> ItemRef:
    """The item itself: what is renamed, moved, deleted."""
    return ItemRef(item.drive_id, item.id)


def content_ref(item: DriveItem) -> ItemRef:
    """What has the children or the bytes: for a shortcut, its target (facts/graph.md §2.9)."""
    return item.remote or own_ref(item)


class Tree:
    """The items below one root. `root` is addressed by its real id, which Graph wants for moves into it (§4.2).

    `contents`: where contents are kept on disk, if they are.
    """

    def __init__(
        self,
        graph: Graph,
        root: ItemRef,
        cache: Mirror,
        urls: DownloadUrls,
        clock: Clock,
        desk: Desk,
        contents: ContentCache | None = None,
    ) -> None:
        self.graph = graph
        self.root = root
        self.cache = cache
        self.urls = urls
        self.clock = clock
        self.desk = desk
        self.contents = contents
        self.sequences = Sequences(clock)

    def ref(self, path: DavPath) -> ItemRef:
        """How to address `path` without a look-up: an item's own id where it is known."""
        place = self.cache.locate(path)
        if place.item and place.depth == len(path.names) and not path.is_root:
            return own_ref(place.item)
        return self._below(place, path)

    def turn(self, path: DavPath) -> AbstractContextManager[None]:
        """For the block, nobody else of this bridge writes to `path`. Raises: Locked."""
        return self.desk.turns.turn("/".join((self.root.drive_id, self.root.item_id, *path.folded)))

    @contextmanager
    def places(self, *paths: DavPath) -> Iterator[None]:
        """For the block, nobody else of this bridge moves or deletes what is at these paths, or puts it aside.

        An item is moved and deleted by its id, wherever it is by then: of two who have found it at one path, the second
        would take it away from where the first has been told that it is. Inside of a `turn`, never round one, so that
        nobody waits for who waits for him. Raises: Locked.
        """
        keys = sorted({"/".join(("at", self.root.drive_id, self.root.item_id, *path.folded)) for path in paths})
        with ExitStack() as stack:
            for key in keys:
                stack.enter_context(self.desk.turns.turn(key))
            yield

    @contextmanager
    def doubted(self, *paths: DavPath) -> Iterator[None]:
        """For a write in the block: when nobody can tell what it has done, nothing is believed of these paths."""
        try:
            yield
        except UnknownOutcome:
            for path in paths:
                with suppress(BridgeError):
                    self.cache.forget_path(path)
            raise

    def just_written(self, path: DavPath) -> DriveItem | None:
        """What we wrote at `path` a moment ago, read again by its id; None when nothing is known of that."""
        place = self.cache.locate(path)
        return self._just_written(place, path) if place.depth == len(path.names) - 1 else None

    def known(self, path: DavPath) -> DriveItem | None:
        """The item if the cache knows it, without a call."""
        place = self.cache.locate(path)
        return place.item if place.depth == len(path.names) else None

    def find(self, path: DavPath, *, fresh: bool = False) -> DriveItem:
        """The item at `path`: no call when it is known and need not be `fresh`, else one.

        Raises: NotFound.
        """
        place = self.cache.locate(path)
        whole = place.depth == len(path.names)
        if not fresh:
            if place.item and whole:
                return place.item
            if self.cache.is_absent(path):
                raise NotFound(f"{path} does not exist")
        item = self._by_id(place, path) if whole else self.just_written(path)
        return item or self._by_path(path)

    def look(self, path: DavPath, *, fresh: bool = False) -> DriveItem | None:
        """As `find`, with None for an item that does not exist."""
        try:
            return self.find(path, fresh=fresh)
        except NotFound:
            return None

    def folder(self, path: DavPath) -> ItemRef:
        """The folder that something is about to be written into: known to be there, or looked up.

        The look-up is the price of a truthful 409: Graph makes missing folders on a PUT by path without asking.

        Raises: ParentNotFound, Unsupported (a OneNote notebook).
        """
        place = self.cache.locate(path)
        if place.depth == len(path.names) and (place.item is None or path.is_root):
            return self._below(place, path)
        try:
            item = self.find(path)
        except NotFound:
            raise ParentNotFound(f"the folder {path} does not exist") from None
        return folder_ref(item, path)

    def check_folder(self, path: DavPath) -> None:
        """Look whether a folder that was written into is one: an id alone does not tell.

        Raises: ParentNotFound, Unsupported (a OneNote notebook).
        """
        item = self.look(path, fresh=True)
        if item is None:
            raise ParentNotFound(f"the folder {path} does not exist")
        folder_ref(item, path)

    def unseen(self, path: DavPath) -> ItemRef | None:
        """How to address a folder of which nothing is known; None when something is: it is there, or it is not."""
        place = self.cache.locate(path)
        if place.depth == len(path.names) or self.cache.is_absent(path):
            return None
        return self._below(place, path)

    def take_folder(self, folder: DriveItem, path: DavPath, since: float) -> None:
        """Learn what a call that began at `since` found at `path`."""
        with suppress(NotFound):
            self._take(folder, path, since)

    def children(self, path: DavPath) -> tuple[DriveItem, Iterable[DriveItem]]:
        """A folder and what is in it: no call when completely known, else one, and one for each further page.

        The children are read to their end before any is given, so that the stream cannot fail for Graph's sake.

        Raises: NotFound, Unsupported (a file).
        """
        folder, items, whole = self._listing(path)
        if not whole:
            try:
                items = self._taken_in(content_key(folder), items)
            except Damaged:
                # there is no mirror that could hold them
                folder, items, _ = self._listing(path)
                items = list(items)
        return folder, self._shown(items)

    def _taken_in(self, key: Key, items: Iterable[DriveItem]) -> Iterable[DriveItem]:
        """Into the mirror, page by page, and out of it again: memory holds no long folder. Raises: Damaged."""
        file = self.cache.file
        before = file.generation, file.missed
        for _ in items:
            if file.is_lost or (file.generation, file.missed) != before:
                break
        known = self.cache.known_children(key)
        if file.is_lost or (file.generation, file.missed) != before:
            raise Damaged("the mirror was lost meanwhile")
        return known

    def _listing(self, path: DavPath) -> tuple[DriveItem, Iterable[DriveItem], bool]:
        """A folder, its children, and whether these come from the mirror; if not, each page is read as it is asked."""
        place = self.cache.locate(path)
        if place.item and place.depth == len(path.names):
            _check_folder(place.item, path)
            if place.item.kind == "package":
                return place.item, (), True
            known = self.cache.children(content_key(place.item))
            if known is not None:
                return place.item, known, True
        elif self.cache.is_absent(path):
            raise NotFound(f"{path} does not exist")
        since = self.cache.now()
        shortcut = place.item if place.item and place.item.remote and place.depth == len(path.names) else None
        try:
            folder, items = get_folder(self.graph, self._below(place, path))
        except NotFound:
            if place.depth:
                self.cache.forget_key(place.key)
            folder, items = get_folder(self.graph, content_ref(self.find(path, fresh=True)))
        if folder.remote:
            shortcut = self.cache.learn(folder, since) or folder
            folder, items = get_folder(self.graph, folder.remote)
        _check_shown(folder, path)
        _check_folder(folder, path)
        believed = self.cache.learn(folder, since, certain=True) or folder
        if not path.is_root and not shortcut:
            self.cache.learn_alias(path, believed)
        if folder.kind == "package":
            return believed, (), True
        pages = self._in_large_pages(own_ref(folder), items)
        return shortcut or believed, self.cache.listing(content_key(folder), pages, since), False

    def survey(self, path: DavPath) -> bool:
        """Learn in one call of a folder that nothing is known of, and of what is in it: it saves a look-up of each.

        Only the first page of it is read; False when there are more. Raises: ParentNotFound.
        """
        if self.cache.locate(path).depth == len(path.names):
            return True
        try:
            items = self._listing(path)[1]
        except (NotFound, Unsupported):
            raise ParentNotFound(f"the folder {path} does not exist") from None
        return all(number < PAGE for number, _ in enumerate(items, 1))

    def refresh(self, item: DriveItem) -> DriveItem:
        """Read an item's content side again, by id, with a download URL.

        Raises: NotFound.
        """
        since = self.cache.now()
        fresh = get_item(self.graph, content_ref(item))
        if not item.remote and (believed := self.cache.learn(fresh, since, certain=True)):
            fresh = replace(fresh, tag=believed.tag if believed.etag == fresh.etag else "")
        self.urls.keep(content_key(item), fresh)
        return fresh

    def _below(self, place: Place, path: DavPath) -> ItemRef:
        drive_id, item_id = place.key
        if place.item:
            drive_id = content_ref(place.item).drive_id
        elif drive_id == key_of(self.root.drive_id, "")[0]:
            drive_id = self.root.drive_id
        return ItemRef(drive_id, item_id, DavPath(path.names[place.depth :]))

    def _by_id(self, place: Place, path: DavPath) -> DriveItem | None:
        """Read a located item again; None when it is no longer where we thought."""
        since = self.cache.now()
        ref = own_ref(place.item) if place.item and not path.is_root else self._below(place, path)
        try:
            item = get_item(self.graph, ref)
        except NotFound:
            if path.is_root:
                raise NotFound("the folder that this share shows does not exist any more") from None
            self.cache.forget_key(place.key)
            return None
        moved = place.item and (item.parent_id, fold(item.name)) != (place.item.parent_id, fold(place.item.name))
        if moved and not path.is_root:
            self.cache.forget_key(place.key)
            return None
        return self._take(item, path, since, certain=True)

    def _just_written(self, place: Place, path: DavPath) -> DriveItem | None:
        """Read by id what we wrote a moment ago: look-ups by path lag behind, those by id do not (§12.2)."""
        written = self.cache.fenced(place.key, path.name)
        if written is None:
            return None
        for pause in (*LAG_PAUSES, 0.0):
            since = self.cache.now()
            try:
                item = get_item(self.graph, own_ref(written))
            except NotFound:
                if written.etag or not pause:
                    break
                self.clock.sleep(pause)
                continue
            if (item.parent_id, fold(item.name)) == (written.parent_id, fold(written.name)):
                return self._take(item, path, since, certain=True)
            break
        self.cache.forget(written)
        return None

    def _by_path(self, path: DavPath) -> DriveItem:
        place = self.cache.locate(path)
        since = self.cache.now()
        try:
            item = get_item(self.graph, self._below(place, path))
        except NotFound:
            if self._is_below_shortcut(place, path):
                return self.find(path)
            if (written := self._written_below(place, path)) is not None:
                return written
            self.cache.learn_absent(path, since)
            raise NotFound(f"{path} does not exist") from None
        return self._take(item, path, since)

    def _is_below_shortcut(self, place: Place, path: DavPath) -> bool:
        """Graph does not follow shortcuts inside a path; they stand in the root folder (§2.9)."""
        if place.depth > 0 or len(path.names) < 2:
            return False
        first = self.look(DavPath(path.names[:1]))
        return first is not None and first.remote is not None

    def _written_below(self, place: Place, path: DavPath) -> DriveItem | None:
        """What we wrote a moment ago below a folder that is not known any more: step by step, by ids, since paths lag.

        A folder is forgotten, for example, by a MKCOL of what is there already.
        """
        if place.depth >= len(path.names) - 1 or not self.cache.is_written(path):
            return None
        return self.look(path) if self.look(path.parent) is not None else None

    def _take(self, item: DriveItem, path: DavPath, since: float, *, certain: bool = False) -> DriveItem:
        believed = self.cache.learn(item, since, certain=certain)
        if believed is None or (believed.parent_id, fold(believed.name)) != (item.parent_id, fold(item.name)):
            raise NotFound(f"{path} does not exist")
        _check_shown(believed, path)
        self.cache.learn_alias(path, believed)
        if item.etag == believed.etag and not item.remote:
            self.urls.keep(content_key(item), item)
        return believed

    def _in_large_pages(self, folder: ItemRef, items: Iterable[DriveItem]) -> Iterator[DriveItem]:
        """A folder longer than its first page goes on in pages of 1,000, which come with a listing of its own only.

        They begin anew; who reads them drops what was there already. Eleven calls for 10,000 children instead of 50.
        """
        count = 0
        for item in islice(items, PAGE):
            count += 1
            yield item
        if count == PAGE:
            yield from list_children(self.graph, folder)

    @staticmethod
    def _shown(items: Iterable[DriveItem]) -> Iterator[DriveItem]:
        return (item for item in items if is_shown(item))


def folder_ref(item: DriveItem, path: DavPath) -> ItemRef:
    """The reference to write below `item`.

    Raises: ParentNotFound (a file), Unsupported (a OneNote notebook).
    """
    if item.kind == "file":
        raise ParentNotFound(f"{path} is a file, not a folder")
    if item.kind == "package":
        raise Unsupported(f"{path} is a OneNote notebook and cannot be written into")
    return content_ref(item)


def folder_key(ref: ItemRef) -> Key:
    """The cache's key of a folder addressed by id."""
    return key_of(ref.drive_id, ref.item_id)


def _check_shown(item: DriveItem, path: DavPath) -> None:
    if not is_shown(item):
        raise NotFound(f"{path} does not exist")


def _check_folder(item: DriveItem, path: DavPath) -> None:
    if item.kind == "file":
        raise Unsupported(f"{path} is a file and has no children")
