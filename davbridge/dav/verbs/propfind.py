"""PROPFIND (RFC 4918 §9.1): the verb that mounts send all day, so one look-up or listing, and prepared answers."""

from __future__ import annotations

from davbridge.dav.message import Request, Response
from davbridge.dav.propfind.answer import respond
from davbridge.dav.propfind.listing import Listing, too_deep
from davbridge.dav.propfind.wanted import INFINITY, read_depth, read_wanted


def handle(request: Request) -> Response:
    """207 with the item; with Depth 1 its children; with infinity, where the configuration allows it, the tree.

    Raises:
        Refusal: 400 for a body or a Depth that cannot be read; 403 for a tree that is too large.
    """
    depth, with_self = read_depth(request)
    limit = request.shared.infinite_depth
    if depth == INFINITY and not limit:
        raise too_deep(limit)
    listing = Listing(request, read_wanted(request), with_self=with_self)
    if depth == 0:
        return respond(request, listing.item())
    return respond(request, listing.tree(limit) if depth == INFINITY else listing.children())
