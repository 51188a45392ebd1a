"""Drives and their items: the state behind the API. All changes go through `Drive`, under its lock."""

from __future__ import annotations

import base64
import secrets
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from davbridge.emulator.blobs import Blob
from davbridge.emulator.clock import Clock
from davbridge.emulator.names import check, fold, numbered
from davbridge.emulator.problems import Problem, bad_request, name_taken, not_found

Profile = Literal["personal", "personal-migrated", "business", "documentLibrary"]
Conflict = Literal["fail", "replace", "rename"]


@dataclass
class Version:
    """A former content."""

    id: str
    blob: Blob
    modified: datetime


@dataclass(eq=False)
class Item:
    """A file (`blob` set), a folder, or a package. `metadata` and `content` count what eTag and cTag show."""

    id: str
    name: str
    parent_id: str
    created: datetime
    modified: datetime
    fs_created: datetime
    fs_modified: datetime
    blob: Blob | None = None
    package: str = ""
    guid: str = field(default_factory=lambda: str(uuid.uuid4()).upper())
    metadata: int = 1
    content: int = 1
    changed: int = 0
    lag: int = 0
    hidden: int = 0
    checked_out_by: str = ""
    locked: bool = False
    placeholder: bool = False
    versions: list[Version] = field(default_factory=list)

    @property
    def is_file(self) -> bool:
        return self.blob is not None

    @property
    def is_folder(self) -> bool:
        return self.blob is None and not self.package

    @property
    def size(self) -> int:
        return self.blob.size if self.blob is not None else 0


@dataclass
class Tombstone:
    """What delta tells of a deleted item."""

    id: str
    name: str
    parent_id: str
    was_file: bool
    changed: int


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
            # a personal drive id that begins with 0 would hide the 15-digit bug of §12.3: take it now and then
            self.id = secrets.token_hex(8).upper()
        self.items: dict[str, Item] = {}
        self.children: dict[str, dict[str, Item]] = {}
        self.sequence = 0
        self.oldest_token = 0
        self.tombstones: list[Tombstone] = []
        self.open_sessions: dict[tuple[str, str], str] = {}
        self.site_id = ""
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
        item = self.root if item_id == "root" else self.items.get(item_id)
        if item is None:
            raise not_found()
        return item

    def child(self, parent: Item, name: str) -> Item | None:
        return self.children.get(parent.id, {}).get(fold(name))

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
        return list(self.children.get(parent.id, {}).values())

    def below(self, item: Item) -> Iterator[Item]:
        """The item and everything below it, parents first."""
        yield item
        for child in self.listed(item):
            yield from self.below(child)

    def path_of(self, item: Item) -> list[str]:
        names: list[str] = []
        while item.parent_id:
            names.append(item.name)
            item = self.items[item.parent_id]
        return names[::-1]

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
            self.children.setdefault(item.parent_id, {})[fold(item.name)] = item
        self._touch(item)

    def _touch(self, item: Item) -> None:
        self.sequence += 1
        item.changed = self.sequence

    def check_name(self, parent: Item, name: str, *, folder: bool) -> None:
        check(name, business=self.business, folder=folder, at_root=parent is self.root)
        path = "/".join([*self.path_of(parent), name])
        if len(path.encode("utf-16-le")) // 2 > 400:
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
            self._check_room(blob.size - item.blob.size)
            self._keep_version(item)
            self.used += blob.size - item.blob.size
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
            new_parent = parent or self.items[item.parent_id]
            new_name = item.name if name is None else name
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
            above = self.items.get(above.parent_id)
        self.check_name(parent, name, folder=item.is_folder)
        found = self.child(parent, name)
        if found is not None and found is not item:
            if conflict == "rename":
                name = self.free_name(parent, name)
            elif conflict == "replace" and found.is_file and item.is_file:
                self.check_writable(found)
                self._drop(found)
            else:
                raise name_taken()
        del self.children[item.parent_id][fold(item.name)]
        item.name, item.parent_id = name, parent.id
        self.children.setdefault(parent.id, {})[fold(name)] = item

    def delete(self, item: Item) -> None:
        with self.lock:
            if item is self.root:
                raise Problem(403, "accessDenied", "The root cannot be deleted")
            for below in self.below(item):
                self.check_writable(below)
            self._drop(item)

    def _drop(self, item: Item) -> None:
        for gone in list(self.below(item))[::-1]:
            self.items.pop(gone.id)
            self.used -= gone.size
            self.children.pop(gone.id, None)
            self.sequence += 1
            if gone is item or not self.business:
                self.tombstones.append(Tombstone(gone.id, gone.name, gone.parent_id, gone.is_file, self.sequence))
        self.children[item.parent_id].pop(fold(item.name), None)

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
            self._check_room(sum(below.size for below in self.below(item)))
            made = self._new(name, parent.id, item.blob)
            made.package = item.package
            sources = self.listed(item)
            self._adopt(made)
            for source in sources:
                self.copy(source, made, source.name, "fail")
            return made
