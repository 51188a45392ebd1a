"""What we know of a drive's items for some seconds: a read-through cache, filled by reads and by our own writes.

Why here: PROPFIND of a known folder must cost no Graph call, and a read right after our own write must see it although
Graph's listings lag behind (facts/graph.md §12.2). The persistent mirror takes this place later.

* Items by id; children by folded name below their folder's id, so a renamed folder keeps its known subtree.
* A folder whose whole listing was read is *complete*: a name that is not in it is known not to exist.
* **Fence**: for a minute after our write, news that began before it or carries an older version is ignored, what we
  created is added to listings that miss it, and what we deleted is left out of them.

It must never call Graph, and never answer with anything older than `ttl`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from cachetools import LRUCache, TTLCache

from davbridge.clock import Clock
from davbridge.graph.model import DriveItem
from davbridge.mirror.keys import Key, content_key, key_of, own_key
from davbridge.mirror.versions import is_older
from davbridge.paths import DavPath, fold

TTL_SECONDS = 15.0
FENCE_SECONDS = 60.0
MAX_ITEMS = 200_000
MAX_FOLDERS = 20_000
MAX_LISTING = 50_000
"""Longer listings are streamed through and not kept."""


@dataclass(slots=True)
class _Entry:
    item: DriveItem
    expires: float
    written: float = 0.0
    fenced: float = 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """How far a path is known: `key` is the deepest known folder or item, `depth` names below the root.

    `item` is the fresh metadata of that deepest one, if known. `absent`: the next name is known not to exist.
    """

    key: Key
    depth: int
    item: DriveItem | None
    absent: bool = False


class MetadataCache:
    """Thread-safe. `root` is the key of the policy's root; times in seconds of the monotonic clock."""

    def __init__(self, clock: Clock, root: Key, *, ttl: float = TTL_SECONDS, fence: float = FENCE_SECONDS) -> None:
        self._clock = clock
        self._root = root
        self._ttl = ttl
        self._fence = fence
        self._lock = threading.RLock()
        self._entries: LRUCache[Key, _Entry] = LRUCache(MAX_ITEMS)
        self._names: LRUCache[Key, dict[str, Key]] = LRUCache(MAX_FOLDERS)
        self._complete: TTLCache[Key, bool] = TTLCache(MAX_FOLDERS, ttl, clock.monotonic)
        self._snapshots: LRUCache[Key, tuple[DriveItem, ...]] = LRUCache(1000)
        self._aliases: TTLCache[tuple[str, ...], Key] = TTLCache(MAX_FOLDERS, ttl, clock.monotonic)
        self._absent: TTLCache[tuple[str, ...], bool] = TTLCache(MAX_FOLDERS, ttl, clock.monotonic)
        self._gone: TTLCache[Key, bool] = TTLCache(MAX_ITEMS, fence, clock.monotonic)
        self._watchers: list[Callable[[Key], None]] = []

    def on_change(self, watcher: Callable[[Key], None]) -> None:
        """Call `watcher(key)` whenever an item is known to be another version than before, or gone."""
        self._watchers.append(watcher)

    def now(self) -> float:
        """Take this before a read begins and hand it to `learn`: news is as old as its request."""
        return self._clock.monotonic()

    # -- asking

    def locate(self, path: DavPath) -> Place:
        """Follow `path` from the root as far as fresh knowledge goes."""
        names = path.folded
        with self._lock:
            place = self._walk(Place(self._root, 0, self._fresh(self._root)), names)
            if place.depth == len(names) or place.absent:
                return place
            for depth in range(len(names), place.depth, -1):
                key = self._aliases.get(names[:depth])
                if key is not None:
                    return self._walk(Place(key, depth, self._fresh(key)), names)
            if names in self._absent:
                return replace(place, absent=place.depth == len(names) - 1)
            return place

    def is_absent(self, path: DavPath) -> bool:
        """True when the item, or a folder above it, is known not to exist."""
        with self._lock:
            return self.locate(path).absent or path.folded in self._absent

    def fenced(self, folder: Key, name: str) -> DriveItem | None:
        """What we wrote at that name within the last minute, also when it is too old to be shown unasked."""
        with self._lock:
            key = self._names.get(folder, {}).get(fold(name))
            entry = self._entries.get(key) if key else None
            return entry.item if entry and entry.fenced > self.now() else None

    def children(self, folder: Key) -> tuple[DriveItem, ...] | None:
        """All children when the folder is completely known, else None. The same object while nothing changes."""
        with self._lock:
            if folder not in self._complete:
                return None
            known = self._snapshots.get(folder)
            if known is None:
                entries = [self._entries.get(key) for key in self._names.get(folder, {}).values()]
                if None in entries:
                    return None
                known = tuple(entry.item for entry in entries if entry)
                self._snapshots[folder] = known
            return known

    # -- learning from reads

    def learn(self, item: DriveItem, since: float, *, certain: bool = False) -> DriveItem | None:
        """Take in what a read that began at `since` told; returns what to believe, None when we deleted it.

        `certain`: read by id, which does not lag (§12.2).
        """
        with self._lock:
            key = own_key(item)
            if key in self._gone:
                return None
            old = self._entries.get(key)
            now = self.now()
            if old and since < old.written:
                return old.item
            if old and not certain and old.fenced > now and is_older(item, old.item):
                return old.item
            entry = _Entry(_bare(item), since + self._ttl, *((old.written, old.fenced) if old else ()))
            self._store(key, entry, old)
            return entry.item

    def learn_alias(self, path: DavPath, item: DriveItem) -> None:
        """`item` was found at `path` below the root; its folder's id is then known, too."""
        if path.is_root or item.deleted:
            return
        with self._lock:
            self._absent.pop(path.folded, None)
            self._aliases[path.folded] = content_key(item)
            if item.parent_id and not path.parent.is_root and self.locate(path.parent).depth < len(path.parent.names):
                self._aliases[path.parent.folded] = key_of(item.drive_id, item.parent_id)

    def learn_absent(self, path: DavPath) -> None:
        """A look-up of `path` said that there is nothing."""
        with self._lock:
            self._absent[path.folded] = True
            self._aliases.pop(path.folded, None)

    def listing(self, folder: Key, items: Iterable[DriveItem], since: float) -> Iterator[DriveItem]:
        """Pass a folder's listing on, corrected by the fence; keep it when it was read to its end."""
        kept: dict[str, Key] | None = {}
        seen: set[Key] = set()
        for item in items:
            believed = self.learn(item if item.parent_id else replace(item, parent_id=folder[1]), since)
            if believed is None or key_of(believed.drive_id, believed.parent_id) != folder:
                continue
            key = own_key(believed)
            if key in seen:  # pages repeat an item when the folder changes meanwhile (§12.6)
                continue
            seen.add(key)
            if kept is not None:
                kept[fold(believed.name)] = key
            if len(seen) > MAX_LISTING:
                kept = None
            yield believed
        yield from self._finish(folder, kept, seen, since)

    def _finish(self, folder: Key, kept: dict[str, Key] | None, seen: set[Key], since: float) -> list[DriveItem]:
        """Add what we wrote and the listing missed; remember the folder as complete."""
        ours: list[DriveItem] = []
        with self._lock:
            now = self.now()
            for name, key in self._names.get(folder, {}).items():
                entry = self._entries.get(key)
                if entry and key not in seen and (entry.written > since or entry.fenced > now):
                    ours.append(entry.item)
                    if kept is not None:
                        kept[name] = key
            if kept is not None:
                self._names[folder] = {name: key for name, key in kept.items() if self._lies_in(folder, key)}
                self._complete[folder] = True
            self._snapshots.pop(folder, None)
        return ours

    # -- learning from our own writes

    def wrote(self, item: DriveItem) -> None:
        """Our write made `item` as it is: it is the truth, and fenced."""
        with self._lock:
            key, now = own_key(item), self.now()
            old = self._entries.get(key)
            self._gone.pop(key, None)
            if old is None or _place(old.item) != _place(item):
                self._absent.clear()
                self._drop_aliases(key, item.kind)
            self._store(key, _Entry(_bare(item), now + self._ttl, now, now + self._fence), old)

    def wrote_empty_folder(self, item: DriveItem) -> None:
        """As `wrote`, for a folder that we have just made: nothing is in it."""
        with self._lock:
            self.wrote(item)
            self._complete[own_key(item)] = True

    def expect(self, item: DriveItem) -> None:
        """We made `item` without being told all about it: its id is known and fenced, the rest must be read."""
        with self._lock:
            key, now = own_key(item), self.now()
            self._absent.clear()
            self._store(key, _Entry(_bare(item), now, 0.0, now + self._fence), self._entries.get(key))
            self._complete.pop(key_of(item.drive_id, item.parent_id), None)

    def removed(self, item: DriveItem) -> None:
        """We deleted `item`, or replaced it by another."""
        with self._lock:
            key = own_key(item)
            self._gone[key] = True
            self._forget(key)
            self._drop_aliases(key, item.kind)

    def forget(self, item: DriveItem) -> None:
        """Reality was found to differ: know nothing of the item and of its folder's completeness."""
        with self._lock:
            self._complete.pop(key_of(item.drive_id, item.parent_id), None)
            self._forget(own_key(item))
            self._aliases.clear()

    def forget_key(self, key: Key) -> None:
        """As `forget`, for an item of which only the key is at hand."""
        with self._lock:
            entry = self._entries.get(key)
            if entry:
                self.forget(entry.item)
            self._aliases.clear()

    def forget_children(self, folder: Key) -> None:
        """Something changed in the folder that we cannot describe: list it anew when asked."""
        with self._lock:
            self._complete.pop(folder, None)
            self._snapshots.pop(folder, None)
            self._absent.clear()

    def forget_path(self, path: DavPath) -> None:
        """Drop what is known of one path by look-up."""
        with self._lock:
            self._absent.pop(path.folded, None)
            self._aliases.pop(path.folded, None)

    def removed_path(self, path: DavPath) -> None:
        """We deleted what was at `path`, without knowing it."""
        with self._lock:
            place = self.locate(path)
            if place.depth == len(path.names) - 1 and (key := self._names.get(place.key, {}).get(fold(path.name))):
                self._forget(key)
            self._complete.pop(place.key, None)
            self._aliases.clear()
            self._absent[path.folded] = True

    def clear(self) -> None:
        """Know nothing any more."""
        with self._lock:
            for known in (self._entries, self._names, self._complete, self._snapshots, self._aliases, self._absent):
                known.clear()
            self._gone.clear()

    # -- inside, lock held

    def _fresh(self, key: Key) -> DriveItem | None:
        entry = self._entries.get(key)
        return entry.item if entry and entry.expires > self.now() else None

    def _walk(self, place: Place, names: tuple[str, ...]) -> Place:
        while place.depth < len(names):
            names_here = self._names.get(place.key, {})
            complete = place.key in self._complete
            key = names_here.get(names[place.depth])
            if key is None:
                return replace(place, absent=complete)
            entry = self._entries.get(key)
            if entry is None or (entry.expires <= self.now() and not complete):
                return place
            place = Place(content_key(entry.item), place.depth + 1, entry.item)
        return place

    def _lies_in(self, folder: Key, key: Key) -> bool:
        entry = self._entries.get(key)
        return entry is not None and key_of(entry.item.drive_id, entry.item.parent_id) == folder

    def _store(self, key: Key, entry: _Entry, old: _Entry | None) -> None:
        if old:
            if _place(old.item) != _place(entry.item):
                self._unlink(key, old.item)
            if (old.item.etag, old.item.ctag) != (entry.item.etag, entry.item.ctag):
                self._tell(content_key(old.item))
        self._entries[key] = entry
        folder = key_of(entry.item.drive_id, entry.item.parent_id)
        if entry.item.parent_id:
            names = self._names.get(folder)
            if names is None:
                names = self._names[folder] = {}
            name = fold(entry.item.name)
            other = names.get(name)
            if other is not None and other != key:
                self._entries.pop(other, None)
                self._tell(other)
            names[name] = key
            self._snapshots.pop(folder, None)

    def _unlink(self, key: Key, item: DriveItem) -> None:
        folder = key_of(item.drive_id, item.parent_id)
        names = self._names.get(folder, {})
        if names.get(fold(item.name)) == key:
            del names[fold(item.name)]
        self._snapshots.pop(folder, None)

    def _forget(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry:
            self._unlink(key, entry.item)
            self._tell(content_key(entry.item))

    def _drop_aliases(self, key: Key, kind: str) -> None:
        if kind != "file":
            self._aliases.clear()
        else:
            for names in [names for names, known in self._aliases.items() if known == key]:
                del self._aliases[names]

    def _tell(self, key: Key) -> None:
        for watcher in self._watchers:
            watcher(key)


def _place(item: DriveItem) -> tuple[str, str]:
    return (item.parent_id, item.name)


def _bare(item: DriveItem) -> DriveItem:
    return replace(item, download_url=None) if item.download_url else item
