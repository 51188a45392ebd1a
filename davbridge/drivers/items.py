"""A driveItem as DAV sees it: kind, entity tag, content type."""

from __future__ import annotations

from datetime import datetime

from davbridge.drivers.protocol import Item, Kind
from davbridge.graph.model import DriveItem
from davbridge.mirror.tags import content_tag

_KINDS = {"file": Kind.FILE, "folder": Kind.FOLDER, "package": Kind.PACKAGE}


def is_shown(item: DriveItem) -> bool:
    """Items with no known facet, and tombstones, do not exist for DAV (facts/graph.md §2.2)."""
    return item.kind in _KINDS and not item.deleted


def etag_of(item: DriveItem) -> str:
    """The DAV entity tag of a file, which changes with its content only; see `mirror.tags`."""
    return item.tag or content_tag(item)


_MOST_KEPT = 1024


class Shown:
    """`to_item`, once for each object: the mirror gives the same one again and again while nothing changes.

    Found by identity, and the object is kept with it, so what is kept is always that object's.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[DriveItem, Item]] = {}

    def __call__(self, item: DriveItem) -> Item:
        known = self._kept.get(id(item))
        if known is None:
            known = item, to_item(item)
            if len(self._kept) >= _MOST_KEPT:
                self._kept = {}
            self._kept[id(item)] = known
        return known[1]


def to_item(item: DriveItem) -> Item:
    """The protocol's view of a shown driveItem."""
    is_file = item.kind == "file"
    return Item(
        id=item.id,
        name=item.name,
        kind=_KINDS[item.kind],
        size=item.size if is_file else 0,
        etag=etag_of(item) if is_file else "",
        created=_whole(item.created),
        modified=_whole(item.modified),
        content_type=(item.mime_type or "application/octet-stream") if is_file else "",
        stamp=item.stamp,
    )


def _whole(moment: datetime) -> datetime:
    """In whole seconds, as all are that come from the mirror."""
    return moment.replace(microsecond=0) if moment.microsecond else moment
