"""The driver over Graph: what OneDrive and SharePoint have in common, which is nearly everything.

Why here: the one place where the operations of `protocol.Driver` meet the tree, the cache and Graph. Each operation
that takes more than some lines has a module of its own beside this one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from davbridge.body import Body
from davbridge.cache import ContentCache
from davbridge.clock import Clock
from davbridge.drivers.copying import copy
from davbridge.drivers.downloading import check_match, file_url, open_file
from davbridge.drivers.following import changes, search, sync_token
from davbridge.drivers.items import Shown, to_item
from davbridge.drivers.keeping import copied
from davbridge.drivers.moving import move
from davbridge.drivers.protocol import Changes, Download, Item, Quota, Span, Times, Written
from davbridge.drivers.recovery import recover
from davbridge.drivers.storing import NO_TIMES, store
from davbridge.drivers.tree import Tree, folder_ref, own_ref
from davbridge.drivers.uploads import MemoryUploads, Uploads
from davbridge.errors import (
    AlreadyExists,
    NotFound,
    ParentNotFound,
    PreconditionFailed,
    RequestRefused,
    UnknownOutcome,
    Unsupported,
)
from davbridge.graph.client import Graph
from davbridge.graph.desk import Desk
from davbridge.graph.drives import get_drive
from davbridge.graph.items import create_folder, delete_item, get_folder, read_back, update_item
from davbridge.graph.model import Drive, DriveItem, ItemRef
from davbridge.mirror.file import MirrorFile
from davbridge.mirror.folder import Mirrors
from davbridge.mirror.keys import key_of
from davbridge.mirror.mirror import TTL_SECONDS, Mirror
from davbridge.mirror.report import MirrorReport, report_of
from davbridge.mirror.urls import DownloadUrls
from davbridge.paths import DavPath
from davbridge.query import Query
from davbridge.redact import Secret
from davbridge.store.journal import Entry

QUOTA_SECONDS = 60.0
_LATE_SECONDS = (0.5, 1.0, 2.0)
"""Pauses between looks at what is there, and is not shown by its path yet (§12.2)."""
WatchDrive = Callable[[Graph, str, MirrorFile], Callable[[], None]]
"""Has a drive's mirror kept fresh from now on; what it returns is to be called with every request."""


@dataclass(frozen=True)
class Place:
    """A drive, and the folder of it that is the policy's root, by its real id. `root_name` is for people."""

    drive: Drive
    root: ItemRef
    root_name: str


class GraphDriver:
    """`protocol.Driver` for one drive. `find` looks the drive up at first use, so that a start needs no network."""

    def __init__(
        self,
        graph: Graph,
        find: Callable[[], Place],
        clock: Clock,
        *,
        mirrors: Mirrors | None = None,
        account: str = "",
        watch: WatchDrive | None = None,
        cache_ttl: float = TTL_SECONDS,
        uploads: Uploads | None = None,
        desk: Desk | None = None,
        contents: ContentCache | None = None,
    ) -> None:
        self._graph = graph
        self._find = find
        self._clock = clock
        self._mirrors = mirrors or Mirrors.temporary(clock)
        self._account = account
        self._watch = watch
        self._attend: Callable[[], None] = _nothing
        self._cache_ttl = cache_ttl
        self._uploads = uploads or MemoryUploads(clock)
        self._desk = desk or Desk.alone()
        self._urls = DownloadUrls(clock)
        self._item = Shown()
        self.follows = False
        self._contents = contents
        self._lock = threading.Lock()
        self._opened: tuple[Place, Tree] | None = None
        self._quota: tuple[float, Quota | None] | None = None

    def probe(self) -> str:
        """Find the drive and its root; one sentence about them.

        Raises: ConfigError, NotFound, Forbidden, NeedsSignIn, Busy, BadUpstream.
        """
        place = self._open()[0]
        owner = f" of {place.drive.owner}" if place.drive.owner else ""
        return f"{place.drive.kind} drive {place.drive.name!r}{owner}, root {place.root_name}"

    def follow(self, former: GraphDriver) -> None:
        """Go on with what a driver of the same tree and account has found; to be called before the first use."""
        if former._opened is not None:
            place = former._opened[0]
            self._find = lambda: place
            self._urls, self._quota = former._urls, former._quota
            self.follows = True

    @property
    def place(self) -> Place | None:
        """The drive and the root, once they have been found."""
        return self._opened[0] if self._opened else None

    @property
    def is_open(self) -> bool:
        """Whether the drive has been found."""
        return self._opened is not None

    @property
    def kept(self) -> int | None:
        """Bytes of contents on disk; None where none are kept."""
        return self._contents.used if self._contents else None

    def report(self) -> MirrorReport:
        """How the drive's mirror stands. Raises: as `probe`."""
        return report_of(self._open()[1].cache)

    @property
    def account(self) -> str:
        """The name of the Microsoft account in use."""
        return self._account

    def recover(self, entry: Entry) -> bool:
        """Bring to an end what a process that has died had begun. Raises: as `recovery.recover`."""
        return recover(self._open()[1], entry)

    def forget(self) -> None:
        """Drop all that is known of the items, as after `cache_ttl` seconds."""
        if self._opened:
            self._opened[1].cache.clear()
            self._opened[1].urls.clear()
            self._opened[1].sequences.clear()
        self._quota = None

    def stat(self, path: DavPath) -> Item:
        item = self._item(self._tree.find(path))
        return _nameless(item) if path.is_root else item

    def knows(self, path: DavPath) -> bool:
        if self._opened is None:
            return False
        tree = self._opened[1]
        return tree.known(path) is not None or tree.cache.is_absent(path)

    def children(self, path: DavPath) -> tuple[Item, Iterable[Item]]:
        folder, items = self._tree.children(path)
        return self._shown(path, folder), self._converted(items)

    def open(self, path: DavPath, span: Span | None = None, *, if_match: str | None = None) -> Download:
        return open_file(self._tree, path, span, if_match, may_be_kept=True)

    def redirect_url(self, path: DavPath) -> Secret:
        return file_url(self._tree, path)

    def put(
        self,
        path: DavPath,
        body: Body,
        *,
        if_match: str | None = None,
        if_absent: bool = False,
        times: Times | None = None,
    ) -> Written:
        tree = self._tree
        with tree.doubted(path), copied(self._contents, path.name, body) as upload:
            written = store(tree, self._uploads, path, body, if_match=if_match, if_absent=if_absent, times=times)
            upload.stored(tree.known(path) if upload.filler else None, written.item.etag)
        return written

    def require_account(self, path: DavPath) -> None:
        self._graph.require_account()

    def make_folder(self, path: DavPath) -> Item:
        """One call: Graph says itself that a parent is missing. A parent that turns out to be a file costs a second."""
        path.check()
        tree = self._tree
        if path.is_root:
            raise AlreadyExists("the root exists")
        if tree.known(path) is not None:
            # rclone makes the folder of each file that it sends
            raise AlreadyExists(f"{path} exists")
        if tree.known(path.parent) or tree.cache.is_absent(path.parent):
            parent = tree.folder(path.parent)
        else:
            parent = tree.ref(path.parent)
        try:
            with tree.doubted(path):
                made = self._make_folder(tree, parent, path.name)
        except NotFound:
            made = self._make_below_new(tree, path)
        except AlreadyExists:
            tree.cache.forget_path(path)
            raise
        except UnknownOutcome:
            raise
        except RequestRefused:
            tree.check_folder(path.parent)
            raise
        except Exception:
            tree.folder(path.parent)
            raise
        if not path.parent.is_root:
            tree.cache.learn_alias(path, made)
        return to_item(made)

    def _make_below_new(self, tree: Tree, path: DavPath) -> DriveItem:
        """Graph does not find the parent by its path: it may be one that we have just made (§12.2)."""
        parent = None if path.parent.is_root else tree.just_written(path.parent)
        try:
            if parent is not None:
                return self._make_folder(tree, folder_ref(parent, path.parent), path.name)
        except NotFound:
            pass
        tree.cache.forget_path(path.parent)
        raise ParentNotFound(f"the folder {path.parent} does not exist")

    def _make_folder(self, tree: Tree, parent: ItemRef, name: str) -> DriveItem:
        try:
            made = create_folder(tree.graph, parent, name)
            tree.cache.wrote_empty_folder(made)
            return made
        except UnknownOutcome:
            found = read_back(tree.graph, parent.child(name))
            if found is None:
                found = _create_again(tree.graph, parent, name)
            if found.kind != "folder":
                raise
            # ours, unless somebody has put something into it: our clock and Microsoft's are not compared
            for _ in get_folder(tree.graph, own_ref(found))[1]:
                raise AlreadyExists(f"a folder {name!r} exists already") from None
            tree.cache.wrote(found)
            return found

    def move(self, source: DavPath, target: DavPath, *, replace: bool) -> Written:
        tree = self._tree
        with tree.doubted(source, target):
            return self._again(source, lambda: move(tree, self._uploads, source, target, replace=replace))

    def copy(self, source: DavPath, target: DavPath, *, replace: bool, deep: bool = True) -> Written:
        place, tree = self._open()
        replaces_files = place.drive.kind != "personal"
        with tree.doubted(target):
            return self._again(
                source,
                lambda: copy(
                    tree, self._clock, source, target, replace=replace, deep=deep, replaces_files=replaces_files
                ),
            )

    def delete(self, path: DavPath, *, if_match: str | None = None) -> None:
        """One call. `if_match` costs a look-up before it: Graph's own If-Match on DELETE does not work (§4.3)."""
        if path.is_root:
            raise Unsupported("the root cannot be deleted")
        tree = self._tree
        with tree.doubted(path), tree.places(path):
            self._delete(tree, path, if_match)

    def _delete(self, tree: Tree, path: DavPath, if_match: str | None) -> None:
        item = tree.find(path, fresh=True) if if_match is not None else tree.known(path)
        if item is None:
            if tree.cache.is_absent(path):
                raise NotFound(f"{path} does not exist")
            self._delete_unknown(tree, path)
            return
        check_match(item, if_match, path)
        try:
            delete_item(tree.graph, own_ref(item))
        except NotFound:
            tree.cache.forget(item)
            tree.cache.forget_path(path)
            if if_match is not None:
                raise PreconditionFailed(f"{path} has changed") from None
            self._delete_unknown(tree, path)
            return
        tree.cache.removed(item)

    def set_times(self, path: DavPath, times: Times) -> Item:
        tree = self._tree
        if times == NO_TIMES:
            return self.stat(path)
        ref = tree.root if path.is_root else tree.ref(path)
        try:
            item = update_item(tree.graph, ref, created=times.created, modified=times.modified)
        except UnknownOutcome:  # the same times once more do no harm
            item = update_item(tree.graph, ref, created=times.created, modified=times.modified)
        except NotFound:
            known = tree.known(path)
            if known is None or path.is_root:
                raise
            tree.cache.forget(known)
            ref = own_ref(tree.find(path, fresh=True))
            item = update_item(tree.graph, ref, created=times.created, modified=times.modified)
        item = tree.cache.wrote(item)
        if not path.is_root:
            tree.cache.learn_alias(path, item)
        return self._shown(path, item)

    def sync_token(self) -> str:
        return sync_token(self._tree)

    def changes(self, path: DavPath, since: str, *, deep: bool, limit: int | None = None) -> Changes:
        return changes(self._tree, path, since, deep=deep, limit=limit)

    def search(self, path: DavPath, query: Query, *, deep: bool) -> Iterable[tuple[DavPath, Item]]:
        return search(self._tree, path, query, deep=deep)

    def quota(self) -> Quota | None:
        now = self._clock.monotonic()
        if self._quota is None or self._quota[0] < now:
            place = self._open()[0]
            # finding the drive a moment ago has told its quota, too
            if self._quota is None or self._quota[0] < now:
                self._keep_quota(get_drive(self._graph, place.drive.id))
        return self._quota[1] if self._quota else None

    def _keep_quota(self, drive: Drive) -> None:
        told = drive.quota
        self._quota = (
            self._clock.monotonic() + QUOTA_SECONDS,
            Quota(told.used, told.remaining) if told else None,
        )

    @property
    def _tree(self) -> Tree:
        tree = self._open()[1]
        self._attend()
        return tree

    def _open(self) -> tuple[Place, Tree]:
        with self._lock:
            if self._opened is None:
                place = self._find()
                root = key_of(place.root.drive_id, place.root.item_id)
                file = self._mirrors.open(self._account, place.drive.id)
                watched = key_of(place.drive.id, "")[0]
                cache = Mirror(file, root, ttl=self._cache_ttl, watched=watched)
                tree = Tree(self._graph, place.root, cache, self._urls, self._clock, self._desk, self._contents)
                if self._watch is not None:
                    self._attend = self._watch(self._graph, place.drive.id, file)
                self._opened = (place, tree)
                if place.drive.quota:
                    self._keep_quota(place.drive)
            return self._opened

    def _again(self, source: DavPath, work: Callable[[], Written]) -> Written:
        """Do it once more when the source that we knew is gone: another of the same name may be there (law 6)."""
        known = self._tree.known(source)
        try:
            return work()
        except NotFound:
            if known is None:
                raise
            return work()

    def _delete_unknown(self, tree: Tree, path: DavPath) -> None:
        """Delete by path; whatever was known of it is void."""
        try:
            delete_item(tree.graph, tree.ref(path))
        except NotFound:
            item = tree.find(path)  # a path through a shortcut is found in steps only
            delete_item(tree.graph, own_ref(item))
            tree.cache.removed(item)
            return
        tree.cache.removed_path(path)

    @staticmethod
    def _shown(path: DavPath, item: DriveItem) -> Item:
        shown = to_item(item)
        return _nameless(shown) if path.is_root else shown

    @staticmethod
    def _converted(items: Iterable[DriveItem]) -> Iterator[Item]:
        return (to_item(item) for item in items)


def _create_again(graph: Graph, parent: ItemRef, name: str) -> DriveItem:
    """After a lost answer: a name that is taken now was free to us a moment ago, and may be shown by its path late.

    Raises: AlreadyExists; what else `create_folder` and `read_back` do.
    """
    try:
        return create_folder(graph, parent, name)
    except AlreadyExists:
        for seconds in _LATE_SECONDS:
            graph.clock.sleep(seconds)
            found = read_back(graph, parent.child(name))
            if found is not None:
                return found
        raise


def _nothing() -> None:
    """Nobody watches the drive."""


def _nameless(item: Item) -> Item:
    """The root's name is the mount's business."""
    return replace(item, name="")
