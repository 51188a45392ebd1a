"""Which of two states of one item is the older: read from Graph's eTags, which count (facts/graph.md §2.4)."""

from __future__ import annotations

import base64
import binascii
import re

from davbridge.graph.model import DriveItem

_COUNTED = re.compile(r',(\d+)"?$')
_CLASSIC = re.compile(rb"\.(\d+)$")


def version_of(etag: str) -> int | None:
    """The counter in an eTag: `"{GUID},7"` of SharePoint, `a` + base64 of `{ID}.7` of classic personal drives."""
    if match := _COUNTED.search(etag):
        return int(match.group(1))
    if etag.startswith("a"):
        text = etag[1:]
        try:
            decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            return None
        if classic := _CLASSIC.search(decoded):
            return int(classic.group(1))
    return None


def is_older(news: DriveItem, known: DriveItem) -> bool:
    """True when `news` tells of an earlier version than `known`. Versions that cannot be compared count as older."""
    if news.etag == known.etag:
        return False
    mine, theirs = version_of(known.etag), version_of(news.etag)
    return mine is None or theirs is None or theirs < mine
