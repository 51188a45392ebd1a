"""Every Graph error, in our words: one table (facts: Graph §7.2)."""

from __future__ import annotations

import json
import re
from typing import Any

from davbridge.errors import (
    AlreadyExists,
    BadUpstream,
    BridgeError,
    Busy,
    Forbidden,
    LicenceMissing,
    Locked,
    NameRefused,
    NotFound,
    PermissionMissing,
    PreconditionFailed,
    QuotaExceeded,
    RequestRefused,
    TooLarge,
    Unsupported,
)
from davbridge.transport import Reply

_NAMES = frozenset({"invalidpath", "pathistoolong", "pathtoodeep", "badargument"})
_QUOTA = frozenset({"quotalimitreached", "insufficientstorage"})
_STALE = frozenset({"resourcemodified", "entitytagdoesnotmatch"})
_LOCKED = frozenset({"resourcelocked", "lockmismatch", "lockownermismatch"})
_TOO_LARGE = frozenset({"maxfilesizeexceeded", "maxstreamsizeexceeded"})
_UNGRANTED = frozenset({"authorization_requestdenied", "insufficientprivileges", "missingscopes"})
_UNLICENSED = re.compile(r"(does not have a|no valid) SPO licen[sc]e|not licensed", re.IGNORECASE)


def raise_for(reply: Reply) -> None:
    """Raise the error that an answer tells; return for 2xx and 3xx.

    Raises:
        BridgeError: of the class that the status and the most specific known code name.
    """
    if reply.status >= 400:
        raise failure(reply)


def failure(reply: Reply) -> BridgeError:
    """The error for an answer of 400 or above. Microsoft's own text is not shown: it may hold addresses."""
    codes = error_codes(reply.content)
    status = reply.status
    if status in (400, 402, 403, 404) and _UNLICENSED.search(_message(reply.content)):
        return LicenceMissing(
            "the Microsoft tenant or account has no licence for SharePoint and OneDrive: an administrator assigns one"
        )
    if codes & _QUOTA or status == 507:
        return QuotaExceeded("the drive is full")
    if codes & _LOCKED or status == 423:
        return Locked("the item is locked or checked out at Microsoft")
    if codes & _STALE or status == 412:
        return PreconditionFailed("the item has changed meanwhile")
    if codes & _NAMES:
        return NameRefused("OneDrive cannot store an item of that name or path")
    if codes & _TOO_LARGE or status == 413:
        return TooLarge("the content is larger than OneDrive accepts")
    if status in (404, 410):
        return NotFound("the item does not exist")
    if status == 409:
        return AlreadyExists("an item of that name exists already")
    if status == 403 and "malwaredetected" in codes:
        return Forbidden("Microsoft has found malware in the file")
    if status == 403 and codes & _UNGRANTED:
        return PermissionMissing(
            "the app lacks a permission of Microsoft Graph: an administrator adds it to the app registration under API "
            "permissions, and grants admin consent"
        )
    if status in (402, 403):
        return Forbidden("the Microsoft account may not do that")
    if status in (405, 406, 501) or "notsupported" in codes:
        return Unsupported("Microsoft does not offer that for this item")
    if status == 401:
        return Busy("Microsoft does not accept the sign-in at the moment", 60.0)
    if status == 400:
        return RequestRefused("Microsoft refused the request as malformed")
    return BadUpstream(f"Microsoft answered {status}")


def _message(content: bytes) -> str:
    """Microsoft's own words, to be looked at and never shown."""
    try:
        return str(json.loads(content)["error"]["message"])
    except (ValueError, TypeError, KeyError):
        return ""


def error_codes(content: bytes) -> frozenset[str]:
    """All codes of an error object, outer and inner, in lower case; empty for anything else."""
    try:
        node: Any = json.loads(content).get("error")
    except (ValueError, AttributeError):
        return frozenset()
    codes = set()
    while isinstance(node, dict):
        if isinstance(node.get("code"), str):
            codes.add(node["code"].lower())
        node = node.get("innerError") or node.get("innererror")  # both spellings occur
    return frozenset(codes)
