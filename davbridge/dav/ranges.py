"""The Range header (RFC 9110 §14): one range, or the whole."""

from __future__ import annotations

import re

from davbridge.dav.conditions import bare_etag
from davbridge.dav.dates import parse_date
from davbridge.dav.message import Request
from davbridge.drivers.protocol import Item, Span
from davbridge.errors import RangeNotSatisfiable

# digits and spaces are never adjacent to more of the same that is optional: matching takes linear time
_ONE = re.compile(r"bytes\s*=\s*(?:(\d{1,18})\s*)?-\s*(?:(\d{1,18})\s*)?$", re.IGNORECASE)


def wanted_span(request: Request, item: Item) -> Span | None:
    """The span to send with 206, with its end set; None for the whole with 200.

    A header that is malformed, names several ranges or another unit is ignored, as §14.2 allows; a suffix that is
    longer than the file is the whole file.

    Raises:
        RangeNotSatisfiable: it starts behind the end.
    """
    found = _ONE.match(request.header("Range"))
    if not found or found[1] is found[2] is None or not _if_range_holds(request, item):
        return None
    if not found[1]:
        wanted = int(found[2])
        if wanted == 0 or item.size == 0:
            raise RangeNotSatisfiable("the range is empty", item.size)
        return Span(max(0, item.size - wanted), item.size)
    start = int(found[1])
    end = int(found[2]) + 1 if found[2] else item.size
    if end <= start and found[2]:
        return None  # bytes=5-3 is malformed
    if start >= item.size:
        raise RangeNotSatisfiable("the range starts behind the end", item.size)
    return Span(start, min(end, item.size))


def _if_range_holds(request: Request, item: Item) -> bool:
    """If-Range (§13.1.5): a strong tag, or the exact date."""
    header = request.header("If-Range")
    if not header:
        return True
    if header.startswith('"'):
        return bare_etag(header) == item.etag
    return not header.startswith("W/") and parse_date(header) == item.modified
