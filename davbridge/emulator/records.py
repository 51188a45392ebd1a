"""What a drive keeps: items, their former contents, and what is left of deleted ones."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from davbridge.emulator.blobs import Blob
from davbridge.emulator.problems import not_found


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
    malware: str = ""
    guid: str = field(default_factory=lambda: str(uuid.uuid4()).upper())
    metadata: int = 1
    content: int = 1
    changed: int = 0
    touched: datetime | None = None
    """When `changed` was set; a folder's `modified` moves without it."""
    arrived: float = float("-inf")
    """When it came to its name, by the drive's monotonic clock."""
    lag: int = 0
    hidden: int = 0
    checked_out_by: str = ""
    locked: bool = False
    placeholder: bool = False
    versions: list[Version] = field(default_factory=list)
    permissions: list[dict[str, Any]] = field(default_factory=list)
    remote: tuple[str, str] | None = None
    """A shortcut's target: the id of its drive, and its own there (§2.9)."""
    number: int = -1
    """Its number in the drive's crowd; -1 for an item that was stored."""

    @property
    def is_file(self) -> bool:
        return self.blob is not None

    @property
    def is_folder(self) -> bool:
        return self.blob is None and not self.package and self.remote is None

    def version(self, version: str) -> Version:
        """Raises `Problem` (404)."""
        found = next((one for one in self.versions if one.id == version), None)
        if found is None:
            raise not_found()
        return found

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
    when: datetime
