"""What Graph tells, as frozen values (facts/graph.md §1.1, §2). No JSON leaves the `graph` package."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from davbridge.paths import ROOT, DavPath
from davbridge.redact import Secret


@dataclass(frozen=True, slots=True)
class ItemRef:
    """How to address an item: a drive, an item in it, and optionally a path below that item (graph.md §1.3)."""

    drive_id: str
    item_id: str
    path: DavPath = ROOT

    def child(self, name: str) -> ItemRef:
        return ItemRef(self.drive_id, self.item_id, self.path.child(name))

    def url(self, action: str = "") -> str:
        """`/drives/{d}/items/{i}[:/{path}:][/{action}]`, relative to the Graph base."""
        base = f"/drives/{self.drive_id}/items/{self.item_id}"
        if not self.path.is_root:
            base += f":/{self.path.graph()}" + (":" if action else "")
        return f"{base}/{action}" if action else base


@dataclass(frozen=True, slots=True)
class DriveItem:
    """A driveItem. `kind`: file, folder, package, other. `etag`/`ctag` verbatim (ctag may be empty).

    `created`/`modified` are the times to show: a file's `fileSystemInfo`, for folders the later of it and the server's.
    `download_url` is set when the answer carried one. `remote` is set for shortcuts to other drives (§2.9).
    `tag` and `stamp` are the mirror's: a file's changes with its content, a folder's with anything in the tree below.
    """

    id: str
    drive_id: str
    parent_id: str
    name: str
    kind: str
    size: int
    etag: str
    ctag: str
    created: datetime
    modified: datetime
    mime_type: str = ""
    quick_xor_hash: str = ""
    deleted: bool = False
    remote: ItemRef | None = None
    download_url: Secret | None = None
    tag: str = ""
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class PlacedItem:
    """An item and where it lies. `above`: the folders from the drive's root down to it; None where Graph hides them."""

    item: DriveItem
    above: tuple[str, ...] | None

    @property
    def path(self) -> DavPath | None:
        """Below the drive's root."""
        return None if self.above is None else DavPath((*self.above, self.item.name) if self.item.parent_id else ())


@dataclass(frozen=True, slots=True)
class DriveQuota:
    """Bytes; only made when Graph gave usable numbers (§1.1: all-zero means unknown)."""

    used: int
    remaining: int
    total: int


@dataclass(frozen=True, slots=True)
class Drive:
    """`kind`: personal, business, documentLibrary. `owner` is a display name or mail, may be empty; so may `mail`."""

    id: str
    kind: str
    name: str
    web_url: str
    owner: str
    quota: DriveQuota | None
    mail: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """A SharePoint site; `id` is `hostname,siteCollectionGuid,webGuid`."""

    id: str
    name: str
    web_url: str
