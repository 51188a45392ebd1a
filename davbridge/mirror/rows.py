"""A driveItem as a row of the mirror, and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from davbridge.graph.model import DriveItem, ItemRef
from davbridge.mirror.keys import key_of
from davbridge.paths import fold

ITEM = "i.id, i.parent, i.name, i.kind, i.size, i.etag, i.ctag, i.created, i.modified, i.mime, i.hash, " + (
    "i.remote_drive, i.remote_id, i.tag"
)
"""What `item_of` reads, from `items AS i`, in its order."""

Values = tuple[Any, ...]


def values(drive: int, item: DriveItem) -> Values:
    """An item in the order of `schema.COLUMNS`."""
    remote_drive, remote_id = key_of(item.remote.drive_id, item.remote.item_id) if item.remote else ("", "")
    return (
        drive,
        item.id,
        item.parent_id,
        fold(item.name),
        item.name,
        item.kind,
        item.size,
        item.etag,
        item.ctag,
        int(item.created.timestamp()),
        int(item.modified.timestamp()),
        item.mime_type,
        item.quick_xor_hash,
        remote_drive,
        remote_id,
    )


def shown(row: Sequence[Any]) -> Values:
    """What DAV shows of an item in the form of `values`, but for its tag: a change of anything else is none."""
    return (row[2], *row[4:7], *row[9:12], *row[13:15])


def item_of(row: Sequence[Any], drive_id: str) -> DriveItem:
    """The item of a row that begins with `ITEM`."""
    item_id, parent, name, kind, size, etag, ctag, created, modified, mime, xor, remote_drive, remote_id, tag = row[:14]
    return DriveItem(
        item_id,
        drive_id,
        parent,
        name,
        kind,
        size,
        etag,
        ctag,
        moment(created),
        moment(modified),
        mime,
        xor,
        False,
        ItemRef(remote_drive, remote_id) if remote_id else None,
        tag=tag,
    )


def moment(seconds: int) -> datetime:
    """A row's time."""
    return datetime.fromtimestamp(seconds, UTC)
