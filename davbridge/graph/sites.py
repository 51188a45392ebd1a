"""SharePoint sites (facts: Graph §1.2)."""

from __future__ import annotations

import base64
from itertools import islice
from urllib.parse import quote

from davbridge.graph.client import Graph
from davbridge.graph.decode import above, drive_item, site
from davbridge.graph.model import PlacedItem, Site
from davbridge.graph.pages import values


def get_site(graph: Graph, host: str, path: str) -> Site:
    """A site by host name and server-relative path (`sites/team`); an empty path is the host's root site.

    Raises:
        NotFound.
    """
    path = path.strip("/")
    where = f"/sites/{host}:/{quote(path)}" if path else f"/sites/{host}"
    return site(graph.get_json(where))


def get_root_site(graph: Graph) -> Site:
    """The tenant's own root site. Raises NotFound, Forbidden."""
    return site(graph.get_json("/sites/root"))


def search_sites(graph: Graph, text: str, *, most: int = 50) -> list[Site]:
    """Sites whose name, address or description has `text` in it; `*` for all. An app with Sites.Selected gets none.

    Raises:
        Forbidden.
    """
    return [site(one) for one in islice(values(graph, f"/sites?search={quote(text, safe='*')}"), most)]


def get_shared_item(graph: Graph, url: str) -> PlacedItem:
    """The item behind a sharing link, or behind any URL of a library that a person would paste (§2.9).

    Raises:
        NotFound, Forbidden.
    """
    json = graph.call("GET", f"{_share(url)}/driveItem", headers={"Prefer": "redeemSharingLinkIfNecessary"}).json()
    return PlacedItem(drive_item(json), above(json))


def get_shared_site(graph: Graph, url: str) -> Site:
    """The site that what is behind a sharing link lies in. Raises NotFound, Forbidden, RequestRefused."""
    return site(graph.get_json(f"{_share(url)}/site"))


def _share(url: str) -> str:
    return f"/shares/u!{base64.urlsafe_b64encode(url.encode()).decode().rstrip('=')}"
