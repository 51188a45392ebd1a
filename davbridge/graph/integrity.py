"""Whether what the service has stored is what was sent to it (facts: Graph §2.8, §12.1)."""

from __future__ import annotations

import logging
import re

from davbridge.errors import BadUpstream
from davbridge.graph.model import DriveItem

log = logging.getLogger(__name__)

# SharePoint writes properties into documents and pages
_REWRITTEN = re.compile(
    r"\.(do[ct][xm]?|xl[st][xmb]?|pp[ts][xm]?|pot[xm]?|vs[dst][xm]?|one|pdf|html?|aspx|msg|eml)$", re.I
)


class Mismatch(BadUpstream):
    """The service has stored something else than what was sent. What is there is left as it is (law 4)."""


def may_be_rewritten(name: str) -> bool:
    """Whether a library may store other bytes under this name than were sent."""
    return _REWRITTEN.search(name) is not None


def is_content(item: DriveItem, size: int, digest: str) -> bool:
    """Whether the item's hash shows that it holds this content; without a hash an old one might be as long."""
    return item.kind == "file" and item.size == size and (size == 0 or item.quick_xor_hash == digest)


def check_stored(item: DriveItem, size: int, digest: str) -> None:
    """Compare what an upload's answer tells with what was sent, unless the service may have rewritten it.

    A library adds to files that it knows (§12.1): those are never wrong, and what has grown is none of ours.

    Raises:
        Mismatch.
    """
    if item.size == size and item.quick_xor_hash in ("", digest):
        return
    library = item.drive_id.startswith("b!")
    if library and (may_be_rewritten(item.name) or item.size > size):
        return
    log.error("%r was stored with %d bytes, and other ones than the %d that were sent", item.name, item.size, size)
    raise Mismatch("Microsoft has stored something else than what was sent; send it again")
