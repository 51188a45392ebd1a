"""SharePoint sites (facts: Graph §1.2)."""

from __future__ import annotations

import base64
from urllib.parse import quote

from davbridge.graph.client import Graph
from davbridge.graph.decode import drive_item, site
from davbridge.graph.model import DriveItem, Site


def get_site(graph: Graph, host: str, path: str) -> Site:
    """A site by host name and server-relative path (`sites/team`); an empty path is the host's root site.

    Raises:
        NotFound.
    """
    path = path.strip("/")
    where = f"/sites/{host}:/{quote(path)}" if path else f"/sites/{host}"
    return site(graph.get_json(where))


def get_shared_item(graph: Graph, url: str) -> DriveItem:
    """The item behind a sharing link, or behind any URL of a library that a person would paste (§2.9).

    Raises:
        NotFound, Forbidden.
    """
    token = base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
    reply = graph.call("GET", f"/shares/u!{token}/driveItem", headers={"Prefer": "redeemSharingLinkIfNecessary"})
    return drive_item(reply.json())
