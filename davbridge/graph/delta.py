"""Change tracking: one page of a drive's delta (facts: Graph §5.1)."""

from __future__ import annotations

from dataclasses import dataclass

from davbridge.graph.client import Graph
from davbridge.graph.decode import drive_item
from davbridge.graph.model import DriveItem


@dataclass(frozen=True)
class DeltaPage:
    """Items in no order, the last state of an item wins; exactly one of the links is set."""

    items: tuple[DriveItem, ...]
    next_link: str
    delta_link: str


def get_delta(graph: Graph, drive_id: str, link: str = "") -> DeltaPage:
    """The page at `link`; without one, the first of everything. Raises NotFound for a token that is too old (410)."""
    json = graph.get_json(link or f"/drives/{drive_id}/root/delta")
    items = tuple(drive_item(one, drive_id=drive_id) for one in json.get("value") or [])
    return DeltaPage(items, str(json.get("@odata.nextLink", "")), str(json.get("@odata.deltaLink", "")))
