"""The folder of a drive that a policy shows as its root."""

from __future__ import annotations

from davbridge.drivers.graphdriver import Place
from davbridge.drivers.tree import content_ref
from davbridge.errors import ConfigError, NotFound
from davbridge.graph.client import Graph
from davbridge.graph.items import get_item
from davbridge.graph.model import Drive, ItemRef
from davbridge.paths import DavPath


def folder_path(text: str) -> DavPath:
    """A folder as people write it in YAML: `/Projects/2026`, not percent-encoded."""
    return DavPath(tuple(name for name in text.split("/") if name))


def find_root(graph: Graph, drive: Drive, path: DavPath, base: ItemRef | None = None) -> Place:
    """The folder at `path` below `base`, or below the drive's own root.

    Raises: ConfigError: it does not exist, or is no folder.
    """
    base = base or ItemRef(drive.id, "root")
    where = f"{path} of drive {drive.name!r}"
    try:
        item = get_item(graph, ItemRef(base.drive_id, base.item_id, path))
    except NotFound:
        raise ConfigError(f"the root folder {where} does not exist, or the account cannot see it") from None
    if item.kind != "folder":
        raise ConfigError(f"the root {where} is not a folder")
    return Place(drive, content_ref(item), str(path))
