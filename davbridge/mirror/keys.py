"""How an item is known in the mirror: by its drive and its id, in one spelling."""

from __future__ import annotations

from davbridge.graph.model import DriveItem

Key = tuple[str, str]


def key_of(drive_id: str, item_id: str) -> Key:
    """Drive ids differ in case, and lose a leading zero, on personal accounts (facts/graph.md §12.3)."""
    return (drive_id if drive_id.startswith("b!") else drive_id.lower().zfill(16), item_id)


def own_key(item: DriveItem) -> Key:
    """The key of the item itself."""
    return key_of(item.drive_id, item.id)


def content_key(item: DriveItem) -> Key:
    """The key of what has the children or the content: a shortcut's is its target's (§2.9)."""
    return key_of(item.remote.drive_id, item.remote.item_id) if item.remote else own_key(item)
