"""Drives and their items: the state behind the API. All changes go through `Drive`, under its lock."""

from __future__ import annotations

import base64
import re
import secrets
import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from heapq import merge
from typing import Literal
from weakref import WeakValueDictionary

from davbridge.emulator.blobs import Blob
from davbridge.emulator.clock import Clock
from davbridge.emulator.crowd import BASE, Crowd
from davbridge.emulator.names import check, fold, numbered, same_form
from davbridge.emulator.problems import Problem, bad_request, name_taken, not_found
from davbridge.emulator.records import Item, Tombstone, Version

Profile = Literal["personal", "personal-migrated", "business", "documentLibrary"]
LONGEST_PATH = 400
Conflict = Literal["fail", "replace", "rename"]
__all__ = ["Conflict", "Drive", "Item", "Profile", "Tombstone", "Version"]


class Drive:
    """One drive. Methods raise `Problem` as the service answers."""

    def __init__(self, profile: Profile, name: str, owner: str, web_url: str, clock: Clock, quota: int) -> None:
        self.profile: Profile = profile
        self.name = name
        self.owner = owner
        self.web_url = web_url
        self.total = quota
        self.used = 0
        self.lock = threading.RLock()
        self._clock = clock
        self._number = 100
        self.business = profile in ("business", "documentLibrary")
        if self.business:
            self.id = "b!" + base64.urlsafe_b64encode(secrets.token_bytes(48)).decode()
        else:
            # one that begins with 0, so that whoever loses digits is found out (§12.3)
            self.id = "0" + secrets.token_hex(8).upper()[1:]
        self.items: dict[str, Item] = {}
        self.children: dict[str, dict[str, Item]] = {}
        self.sequence = 0
        self.oldest_token = 0
        self.tokens_given: dict[int, datetime] = {}
        self.resync_code = "resyncChangesApplyDifferences"
        self.tombstones: list[Tombstone] = []
        self.ghosts: deque[tuple[float, Item]] = deque(maxlen=1000)
        self.shortcuts: set[str] = set()
        self.bin: dict[str, list[Item]] = {}
        self.open_sessions: dict[tuple[str, str], str] = {}
        self.site_id = ""
        self.crowd: Crowd | None = None
        self._awake: WeakValueDictionary[int, Item] = WeakValueDictionary()
        self._folders_lately: deque[Item] = deque(maxlen=4096)
        self._grown: Counter[str] = Counter()
        self.root = self._new("root", "", None)
        self._adopt(self.root)

    # -- identities ---------------------------------------------------------------------------------------------

    def _new_id(self) -> str:
        if self.business:
            return "01" + base64.b32encode(secrets.token_bytes(20)).decode()
        if self.profile == "personal-migrated":
            return f"{self.id}!s{secrets.token_hex(16)}"
        self._number += 1
        return f"{self.id}!{self._number}"

    def etag(self, item: Item) -> str:
        """The eTag as JSON gives it: with quotes on SharePoint's backend, bare on classic personal drives (§2.4)."""
        if self.profile == "personal":
            return "a" + base64.b64encode(f"{item.id}.{item.metadata}".encode()).decode().rstrip("=")
        return f'"{{{item.guid}}},{item.metadata}"'

    def ctag(self, item: Item) -> str:
        """The cTag, or empty where the service gives none (folders on SharePoint's backend)."""
        if self.profile == "personal":
            return "a" + base64.b64encode(f"c:{item.id}.{item.content}".encode()).decode().rstrip("=")
        return f'"c:{{{item.guid}}},{item.content}"' if item.is_file else ""

    # -- lookup -------------------------------------------------------------------------------------------------

    def get(self, item_id: str) -> Item:
        item = self.root if item_id == "root" else self.find(item_id)
        if item is None:
            raise not_found()
        return item

    def find(self, item_id: str) -> Item | None:
        """The item of an id, stored or of the crowd."""
        if (item := self.items.get(item_id)) is not None or self.crowd is None:
            return item
        number = self.crowd.number(item_id)
        return self._wake(number) if number is not None and self._lives(number) else None

    def named(self, item_id: str) -> Item:
        """By its id or, on SharePoint's backend, by the GUID of its list item (§1.3). Raises `Problem` (404)."""
        if self.business and re.fullmatch(r"\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?", item_id):
            guid = item_id.strip("{}").upper()
            item_id = next((item.id for item in self.items.values() if item.guid == guid), item_id)
        return self.get(item_id)

    def fold(self, name: str) -> str:
        """The key by which two names are the same on this drive."""
        return fold(name, linguistic=not self.business)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def parent_of(self, item: Item) -> Item:
        return self.get(item.parent_id)

    def child(self, parent: Item, name: str) -> Item | None:
        folded = self.fold(name)
        if (found := self.children.get(parent.id, {}).get(folded)) is not None or self.crowd is None:
            return found
        place = self._place(parent)
        number = self.crowd.named(place, folded) if place is not None else None
        return self._wake(number) if number is not None else None

    def descend(self, start: Item, names: list[str]) -> Item:
        """The item at a path below `start`.

        Raises:
            Problem: 404.
        """
        item: Item | None = start
        for name in names:
            item = self.child(item, name) if item is not None else None
            if item is None:
                raise not_found()
        assert item is not None
        if names and item.hidden > 0:
            item.hidden -= 1
            raise not_found()
        return item

    def folder_for(self, start: Item, names: list[str]) -> Item:
        """The folder at a path, created where it is missing, as path uploads do (§3.1)."""
        item = start
        for name in names:
            found = self.child(item, name)
            if found is None:
                found = self.make_folder(item, name, "fail")
            if not found.is_folder:
                raise bad_request("The parent is not a folder")
            item = found
        return item

    def listed(self, parent: Item) -> list[Item]:
        stored = list(self.children.get(parent.id, {}).values())
        return [*stored, *self._crowded(parent)] if self.crowd is not None else stored

    def listed_by_name(self, parent: Item, after: str = "") -> Iterator[Item]:
        """The children whose folded names come after `after`, in their order."""

        def key(item: Item) -> str:
            return self.fold(item.name)

        stored = self.children.get(parent.id, {})
        rest = sorted((child for name, child in stored.items() if name > after), key=key)
        return merge(rest, self._crowded(parent, after), key=key)

    def child_count(self, parent: Item) -> int:
        place = self._place(parent)
        others = self.crowd.count(place) if self.crowd is not None and place is not None else 0
        return len(self.children.get(parent.id, {})) + others

    def weight(self, item: Item) -> int:
        """The bytes of a file, or of everything below a folder."""
        if item.is_file:
            return item.size
        place = self._place(item)
        made = self.crowd.subtree_size(place) if self.crowd is not None and place not in (None, BASE) else 0
        return made + self._grown[item.id]

    def below(self, item: Item) -> Iterator[Item]:
        """The item and everything below it, parents first."""
        yield item
        for child in self.listed(item):
            yield from self.below(child)

    def path_of(self, item: Item) -> list[str]:
        names: list[str] = []
        while item.parent_id:
            names.append(item.name)
            item = self.parent_of(item)
        return names[::-1]

    # -- the crowd ----------------------------------------------------------------------------------------------

    def generate(self, base: Item, folders: int, files: int, fanout: int, largest: int) -> None:
        """Let a crowd appear below a folder; a drive has room for one."""
        with self.lock:
            if self.crowd is not None:
                raise ValueError("the drive has a crowd already")
            self.own(base)
            self.crowd = Crowd(self.profile, self.id, base.id, self.sequence, folders, files, fanout, largest)
            self.sequence += self.crowd.total
            self.used += self.crowd.subtree_size(BASE)
            self._weigh(base.id, self.crowd.subtree_size(BASE))

    def expire(self, code: str = "resyncChangesApplyDifferences") -> None:
        """Let every delta token given so far be too old."""
        with self.lock:
            self.resync_code = code
            self.sequence += 1
            self.oldest_token = self.sequence

    def own(self, item: Item) -> Item:
        """Make an ordinary item of one of the crowd, which whoever changes an item has to do first."""
        with self.lock:
            if self.crowd is not None and item.number >= 0 and item.number not in self.crowd.taken:
                self.crowd.take(item.number)
                self.items[item.id] = item
                self.children.setdefault(item.parent_id, {})[self.fold(item.name)] = item
            return item

    def crowd_changes(self, after: int, upto: int, *, backwards: bool = False) -> Iterator[Item]:
        """Those of the crowd that changed after one sequence and up to another, in that order."""
        if (crowd := self.crowd) is None:
            return
        first, last = max(after - crowd.start, 0), min(upto - crowd.start, crowd.total)
        for number in range(last - 1, first - 1, -1) if backwards else range(first, last):
            if self._lives(number):
                yield self._wake(number)

    def _place(self, folder: Item) -> int | None:
        """The number under which the crowd knows a folder; None for one that it does not know."""
        if self.crowd is None:
            return None
        if folder.id == self.crowd.base_id:
            return BASE
        return folder.number if 0 <= folder.number < self.crowd.folders else None

    def _crowded(self, parent: Item, after: str = "") -> Iterator[Item]:
        place = self._place(parent)
        if self.crowd is not None and place is not None:
            yield from map(self._wake, self.crowd.children(place, after))

    def _lives(self, number: int) -> bool:
        """Whether an item of the crowd is there: not taken, and nothing above it deleted."""
        crowd = self.crowd
        if crowd is None or number in crowd.taken:
            return False
        while (number := crowd.parent(number)) != BASE:
            if number in crowd.taken:
                return crowd.id(number) in self.items
        return crowd.base_id in self.items

    def _wake(self, number: int) -> Item:
        """The item of a number: the same object as long as anybody holds it."""
        crowd = self.crowd
        assert crowd is not None
        with self.lock:
            if (item := self._awake.get(number)) is None:
                parent = crowd.parent(number)
                created, modified = crowd.created(number), crowd.modified(number)
                item = Item(
                    crowd.id(number),
                    crowd.name(number),
                    crowd.base_id if parent == BASE else self._wake(parent).id,
                    created,
                    modified,
                    created,
                    modified,
                    crowd.blob(number),
                    guid=crowd.guid(number),
                    changed=crowd.start + number + 1,
                    number=number,
                )
                self._awake[number] = item
                if item.is_folder:
                    self._folders_lately.append(item)
            return item

    def empty(self) -> None:
        """Forget everything below the root, at once; delta starts anew."""
        with self.lock:
            self.bin.clear()
            self.ghosts.clear()
            for item in self.items.values():
                item.locked, item.checked_out_by = False, ""
            if self.crowd is None:
                for item in self.listed(self.root):
                    self._drop(item)
                return
            self.crowd = None
            self._awake.clear()
            self._folders_lately.clear()
            self._grown.clear()
            self.items, self.children, self.used = {self.root.id: self.root}, {}, 0
            self.sequence += 1
            self.oldest_token = self.sequence

    # -- changes ------------------------------------------------------------------------------------------------

    def _new(self, name: str, parent_id: str, blob: Blob | None) -> Item:
        now = self._now()
        return Item(self._new_id(), name, parent_id, now, now, now, now, blob)

    def _now(self) -> datetime:
        now = self._clock.now()
        return now.replace(microsecond=0) if self.business else now.replace(microsecond=now.microsecond // 1000 * 1000)

    def _adopt(self, item: Item) -> None:
        self.items[item.id] = item
        self.used += item.size
        if item.parent_id:
            self.children.setdefault(item.parent_id, {})[self.fold(item.name)] = item
            self._weigh(item.parent_id, item.size)
            self._stir(item.parent_id)
        item.arrived = self.monotonic()
        self._touch(item)

    def _stir(self, folder_id: str) -> None:
        """A folder whose children come, go or move has other times; a client's own is kept on personal drives only."""
        folder = self.own(self.get(folder_id))
        folder.modified = self._now()
        if self.business:
            folder.fs_modified = folder.modified

    def _leave_ghost(self, item: Item) -> None:
        """Note who had a name, for views that lag behind."""
        self.ghosts.append((self.monotonic(), replace(item)))
        item.arrived = self.monotonic()

    def _weigh(self, folder_id: str, growth: int) -> None:
        """Book a growth of what lies in a folder, up to the root."""
        while growth and folder_id:
            self._grown[folder_id] += growth
            folder_id = self.get(folder_id).parent_id

    def _touch(self, item: Item) -> None:
        self.sequence += 1
        item.changed, item.touched = self.sequence, self._now()
        self._mark_above(item.parent_id)

    def _mark_above(self, folder_id: str) -> None:
        """On classic personal drives a folder's cTag tells that anything below has changed (§2.4)."""
        while folder_id and self.profile == "personal":
            folder = self.own(self.get(folder_id))
            folder.content += 1
            folder_id = folder.parent_id

    def check_name(self, parent: Item, name: str, *, folder: bool) -> None:
        check(name, business=self.business, folder=folder, at_root=parent is self.root)
        path = "/".join([*self.path_of(parent), name])
        if len(path.encode("utf-16-le")) // 2 > LONGEST_PATH:
            raise bad_request("The path is too long", inner="pathIsTooLong")

    def free_name(self, parent: Item, name: str) -> str:
        number = 1
        while self.child(parent, numbered(name, number)) is not None:
            number += 1
        return numbered(name, number)

    def make_folder(self, parent: Item, name: str, conflict: Conflict) -> Item:
        with self.lock:
            if not parent.is_folder:
                raise bad_request("The parent is not a folder")
            self.check_name(parent, name, folder=True)
            if self.child(parent, name) is not None:
                if conflict != "rename":
                    raise name_taken()
                name = self.free_name(parent, name)
            item = self._new(name, parent.id, None)
            self._adopt(item)
            return item

    def make_package(self, parent: Item, name: str) -> Item:
        """A OneNote notebook (§12.5)."""
        with self.lock:
            item = self._new(name, parent.id, None)
            item.package = "oneNote"
            self._adopt(item)
            return item

    def make_shortcut(self, name: str, drive_id: str, target: Item) -> Item:
        """An entry of the root that stands for an item of another drive (§2.9)."""
        with self.lock:
            self.check_name(self.root, name, folder=True)
            if self.child(self.root, name) is not None:
                raise name_taken()
            item = self._new(name, self.root.id, None)
            item.remote = (drive_id, target.id)
            self.shortcuts.add(item.id)
            self._adopt(item)
            return item

    def store(
        self,
        parent: Item,
        name: str,
        blob: Blob,
        conflict: Conflict,
        *,
        fs_created: datetime | None = None,
        fs_modified: datetime | None = None,
    ) -> tuple[Item, bool]:
        """Create or replace a file; returns it and whether it is new."""
        with self.lock:
            if not parent.is_folder:
                raise bad_request("The parent is not a folder")
            self.check_name(parent, name, folder=False)
            found = self.child(parent, name)
            if found is not None and not found.placeholder and conflict != "replace":
                if conflict == "fail":
                    raise name_taken()
                found, name = None, self.free_name(parent, name)
            if found is not None:
                if not found.is_file:
                    raise name_taken()
                was_placeholder = found.placeholder
                found.placeholder = False
                self.replace(found, blob, fs_created=fs_created, fs_modified=fs_modified)
                return found, was_placeholder
            self._check_room(blob.size)
            item = self._new(name, parent.id, blob)
            item.fs_created = fs_created or item.fs_created
            item.fs_modified = fs_modified or item.fs_modified
            self._adopt(item)
            return item, True

    def replace(
        self, item: Item, blob: Blob, *, fs_created: datetime | None = None, fs_modified: datetime | None = None
    ) -> None:
        """Give a file new content: a new version, new eTag and cTag."""
        with self.lock:
            if not item.is_file:
                raise bad_request("The item has no content")
            self.check_writable(item)
            assert item.blob is not None
            growth = blob.size - item.blob.size
            self._check_room(growth)
            self.own(item)
            self._keep_version(item)
            self.used += growth
            self._weigh(item.parent_id, growth)
            item.blob = blob
            item.modified = self._now()
            item.fs_modified = fs_modified or item.modified
            item.fs_created = fs_created or item.fs_created
            item.metadata += 1
            item.content += 1
            self._touch(item)

    def _keep_version(self, item: Item) -> None:
        assert item.blob is not None
        item.versions.insert(0, Version(f"{len(item.versions) + 1}.0", item.blob, item.modified))

    def _check_room(self, growth: int) -> None:
        if growth > 0 and self.used + growth > self.total:
            raise Problem(507, "insufficientStorage", "Insufficient Space Available", inner="quotaLimitReached")

    def check_writable(self, item: Item) -> None:
        if item.locked or item.checked_out_by not in ("", self.owner):
            raise Problem(423, "resourceLocked", "The resource you are attempting to access is locked")

    def update(
        self,
        item: Item,
        *,
        name: str | None = None,
        parent: Item | None = None,
        fs_created: datetime | None = None,
        fs_modified: datetime | None = None,
        conflict: Conflict = "fail",
    ) -> None:
        """Rename, move and set times, in one step (§4.2)."""
        with self.lock:
            if item is self.root:
                raise bad_request("The root cannot be changed")
            self.check_writable(item)
            self.own(item)
            new_parent = parent or self.parent_of(item)
            new_name = item.name if name is None or same_form(name, item.name) else name
            moved = new_parent.id != item.parent_id or new_name != item.name
            if moved:
                self._move(item, new_parent, new_name, conflict)
            if fs_created or fs_modified:
                if self.business and item.is_file:
                    self._keep_version(item)
                item.fs_created = fs_created or item.fs_created
                item.fs_modified = fs_modified or item.fs_modified
            elif moved and new_parent.id != item.parent_id:
                item.fs_modified = self._now()
            item.metadata += 1
            item.modified = self._now()
            self._touch(item)

    def _move(self, item: Item, parent: Item, name: str, conflict: Conflict) -> None:
        if not parent.is_folder:
            raise bad_request("The parent is not a folder")
        above: Item | None = parent
        while above is not None:
            if above is item:
                raise bad_request("An item cannot be moved below itself", inner="notAllowed")
            above = self.find(above.parent_id)
        self.check_name(parent, name, folder=item.is_folder)
        deepest = max((len("/".join(self.path_of(one))) for one in self._stored_below(item)), default=0)
        if deepest + len("/".join([*self.path_of(parent), name])) - len("/".join(self.path_of(item))) > LONGEST_PATH:
            raise bad_request("The path is too long", inner="pathIsTooLong")
        found = self.child(parent, name)
        if found is not None and found is not item:
            if conflict == "rename":
                name = self.free_name(parent, name)
            elif conflict == "replace" and found.is_file and item.is_file:
                self.check_writable(found)
                self._drop(found)
            else:
                raise name_taken()
        self._leave_ghost(item)
        del self.children[item.parent_id][self.fold(item.name)]
        weight = self.weight(item)
        self._weigh(item.parent_id, -weight)
        self._weigh(parent.id, weight)
        self._stir(item.parent_id)
        self._stir(parent.id)
        item.name, item.parent_id = name, parent.id
        self.children.setdefault(parent.id, {})[self.fold(name)] = item

    def delete(self, item: Item) -> None:
        with self.lock:
            if item is self.root:
                raise Problem(403, "accessDenied", "The root cannot be deleted")
            for below in self._stored_below(item):
                self.check_writable(below)
            self._drop(item)

    def _stored_below(self, item: Item) -> list[Item]:
        """The item and what has been stored or changed below it, parents first; the crowd goes with its folders."""
        if self.crowd is None:
            return list(self.below(item))
        depths: dict[str, int] = {item.id: 0}
        for one in self.items.values():
            chain = [one]
            while chain[-1].id != item.id and chain[-1].parent_id:
                chain.append(self.parent_of(chain[-1]))
            if chain[-1].id == item.id:
                depths[one.id] = len(chain)
        return [item, *(self.items[one] for one in sorted(depths, key=depths.__getitem__) if one != item.id)]

    def _drop(self, item: Item) -> None:
        self.own(item)
        self._stir(item.parent_id)
        weight, now = self.weight(item), self._now()
        self.used -= weight
        self._weigh(item.parent_id, -weight)
        self._leave_ghost(item)
        below = self._stored_below(item)
        if not self.business and item.number < 0:
            self.bin[item.id] = below
        for gone in below[::-1]:
            self.items.pop(gone.id)
            self._grown.pop(gone.id, None)
            self.children.pop(gone.id, None)
            self.sequence += 1
            if gone is item or not self.business:
                self.tombstones.append(Tombstone(gone.id, gone.name, gone.parent_id, gone.is_file, self.sequence, now))
        self.children[item.parent_id].pop(self.fold(item.name), None)
        self._mark_above(item.parent_id)

    def restore(self, item_id: str, parent: Item | None, name: str | None) -> Item:
        """Out of the recycle bin, with everything below it, to where it was or to another folder."""
        with self.lock:
            if not (below := self.bin.get(item_id)):
                raise not_found()
            item = below[0]
            parent = parent or self.get(item.parent_id)
            self.check_name(parent, name or item.name, folder=item.is_folder)
            if self.child(parent, name or item.name) is not None:
                raise name_taken()
            item.name, item.parent_id = name or item.name, parent.id
            for one in self.bin.pop(item_id):
                one.metadata += 1
                self._adopt(one)
            return item

    def copy(self, item: Item, parent: Item, name: str, conflict: Conflict) -> Item:
        """Copy a tree. Times are those of now; versions stay behind (§4.4)."""
        with self.lock:
            self.check_name(parent, name, folder=item.is_folder)
            found = self.child(parent, name)
            if found is not None:
                # personal drives do not honour conflictBehavior on copies; nobody replaces folders
                if conflict == "rename":
                    name = self.free_name(parent, name)
                elif conflict == "replace" and self.business and found.is_file and item.is_file:
                    self._drop(found)
                else:
                    raise name_taken()
            self._check_room(self.weight(item))
            made = self._new(name, parent.id, item.blob)
            made.package = item.package
            sources = self.listed(item)
            self._adopt(made)
            for source in sources:
                self.copy(source, made, source.name, "fail")
            return made
