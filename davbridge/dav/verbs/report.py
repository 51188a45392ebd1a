"""REPORT `sync-collection` (RFC 6578): what has changed in a folder since a token.

Sync tokens are `urn:davbridge:sync:` and the driver's own word; clients compare and return them, nothing more. Where
nobody watches the drive, and below shortcuts to other drives, there is no such report: 403 `supported-report` (RFC 3253
§3.6), as for any other report, and the property `sync-token` is missing, so a client falls back to PROPFIND. While a
drive is being read for the first time it is 503. Changes of dead properties and locks are not
changes of a member here, and are not told; nor are side files, which are not in the drive.
"""

from __future__ import annotations

import re
from typing import Any

from davbridge.dav.message import Request, Response
from davbridge.dav.multistatus import MOST, Multistatus, limit_of, named
from davbridge.dav.refusal import Refusal
from davbridge.dav.xmlbody import DAV, elements, read_xml
from davbridge.drivers.protocol import Tracks
from davbridge.errors import StaleToken, Unsupported

TOKEN_PREFIX = "urn:davbridge:sync:"  # noqa: S105 - not a password
_LEVELS = {"1": False, "infinite": True}


def handle(request: Request) -> Response:
    """207 with the changes and a token that goes on from there.

    When there is more than the limit, or than one answer holds, a 507 for the request's own URL says so (§3.6).
    """
    if request.header("Depth") not in ("", "0"):
        raise Refusal(400, "a report is asked for with Depth 0")
    root = read_xml(request)
    if root is None:
        raise Refusal(400, "the body says which report is wanted, and there is none")
    if root.tag != DAV + "sync-collection":
        request.driver.stat(request.path)
        raise _unsupported("only the report sync-collection is known here")
    parts = {child.tag: child for child in elements(root)}
    deep, since = _level(parts), _since(parts.get(DAV + "sync-token"))
    if DAV + "prop" not in parts:
        raise Refusal(400, "the element prop is missing")
    limit = min(limit_of(parts.get(DAV + "limit")) or MOST, MOST)
    driver = request.driver
    if not isinstance(driver, Tracks):
        driver.stat(request.path)
        raise _unsupported("changes of this folder are not known")
    try:
        found = driver.changes(request.path, since, deep=deep, limit=limit)
    except Unsupported as error:
        raise _unsupported(str(error)) from error
    answer = Multistatus(request, named(request, parts[DAV + "prop"]))
    for change in found.changes:
        if change.item is None:
            answer.add_status(change.path, "404 Not Found", folder=change.folder)
        elif change.closed:
            # a member collection that has no report of its own: the client must list it (RFC 6578 §3.3)
            answer.add_status(change.path, "403 Forbidden", "supported-report", folder=True)
        else:
            answer.add(change.path, change.item)
    if found.more:
        answer.add_truncation("There is more: ask again with this token.", "number-of-matches-within-limits")
    return answer.response([f"<D:sync-token>{TOKEN_PREFIX}{found.token}</D:sync-token>\n"])


def _level(parts: dict[str, Any]) -> bool:
    level = parts.get(DAV + "sync-level")
    text = (level.text or "").strip() if level is not None else ""
    if text not in _LEVELS:
        raise Refusal(400, "the sync-level must be 1 or infinite")
    return _LEVELS[text]


def _since(node: Any) -> str:
    """The driver's word in the token; empty, or no element, asks for everything (§3.4)."""
    text = (node.text or "").strip() if node is not None else ""
    if not text:
        return ""
    if not re.fullmatch(re.escape(TOKEN_PREFIX) + r"[A-Za-z0-9-]{1,500}", text):
        raise StaleToken("the sync token is not known here")
    return text[len(TOKEN_PREFIX) :]


def _unsupported(why: str) -> Refusal:
    return Refusal(403, why, condition="supported-report")
