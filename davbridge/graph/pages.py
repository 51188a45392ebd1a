"""Collections, which Graph gives page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from davbridge.errors import BadUpstream
from davbridge.graph.client import Graph

_MOST_PAGES = 10_000


def values(graph: Graph, path: str | None) -> Iterator[dict[str, Any]]:
    """All that a collection has, from the page at `path` on; of None, nothing. Raises: as `Graph.call`."""
    seen: set[str] = set()
    while path:
        # wrong nextLinks have led round in circles (§12.6); empty pages with a nextLink are no end
        if path in seen or len(seen) > _MOST_PAGES:
            raise BadUpstream("Graph's pages lead in a circle")
        seen.add(path)
        page = graph.get_json(path)
        found = page.get("value")
        if not isinstance(found, list):
            raise BadUpstream("Graph answered a page that is none")  # taken for an empty one, it would end the listing
        yield from found
        path = page.get("@odata.nextLink")
