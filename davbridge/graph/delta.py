"""Change tracking: one page of a drive's delta (facts: Graph §5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from davbridge.errors import BadUpstream, NotFound, Unsupported
from davbridge.graph.client import Graph
from davbridge.graph.decode import drive_item
from davbridge.graph.failures import failure
from davbridge.graph.items import FIELDS
from davbridge.graph.model import DriveItem

_OPTIONS = f"$top=1000&$select={FIELDS},deleted"
_HEADERS = {"Prefer": "Include-Feature=AddToOneDrive"}


class Resync(Exception):
    """The link is too old, or the service has lost its place: enumerate anew from `link` (empty: from scratch)."""

    def __init__(self, link: str) -> None:
        super().__init__("the drive must be enumerated anew")
        self.link = link


@dataclass(frozen=True)
class DeltaPage:
    """Items in no order, the last state of an item wins; exactly one of the links is set."""

    items: tuple[DriveItem, ...]
    next_link: str
    delta_link: str


def get_delta(graph: Graph, drive_id: str, link: str = "") -> DeltaPage:
    """The page at `link`; without one, the first of everything.

    Raises:
        Resync: 410, or the place in the enumeration is gone.
        Unsupported: there is no delta for this drive or cloud.
        BridgeError: all other failures, as `failures` says; BadUpstream for a page without a link.
    """
    reply = graph.send("GET", link or f"/drives/{drive_id}/root/delta?{_OPTIONS}", headers=_HEADERS, safe=True)
    if reply.status == 410:
        raise Resync(_with_options(reply.headers.get("location", "")))
    if reply.status >= 400:
        error = failure(reply)
        if isinstance(error, NotFound) and link:
            raise Resync("")
        if isinstance(error, NotFound) or reply.status in (400, 405, 501):
            raise Unsupported("delta is not to be had for this drive") if not link else Resync("")
        raise error
    return _page(reply.json(), drive_id)


def _with_options(link: str) -> str:
    """A new enumeration in large pages with few fields: all links keep the options of the first call."""
    if not link or "$top" in link or "%24top" in link:
        return link
    return f"{link}{'&' if '?' in link else '?'}{_OPTIONS}"


def _page(json: dict[str, Any], drive_id: str) -> DeltaPage:
    items = json.get("value")
    following, last = str(json.get("@odata.nextLink", "")), str(json.get("@odata.deltaLink", ""))
    if not isinstance(items, list) or bool(following) == bool(last):
        raise BadUpstream("Graph answered a delta page that is none")
    return DeltaPage(tuple(drive_item(one, drive_id=drive_id) for one in items), following, last)
