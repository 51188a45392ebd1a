"""Hrefs of a listing: the request's own path, byte for byte, and behind it each name percent-encoded (RFC 3986)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from davbridge.dav.properties import FILE
from davbridge.drivers.protocol import Item
from davbridge.paths import DAV_SAFE

_UNSAFE = re.compile(rf"[^A-Za-z0-9 \n{re.escape(DAV_SAFE)}]+")


def leaves_of(items: Sequence[Item]) -> list[str]:
    """The last segment of each item's href, percent-encoded, with a slash behind folders."""
    leaves = _quoted([item.name for item in items])
    return [leaf if item.kind is FILE else leaf + "/" for leaf, item in zip(leaves, items, strict=True)]


def _quoted(names: Sequence[str]) -> list[str]:
    """Each name percent-encoded: all at once, since most have nothing but spaces in them."""
    parts = _UNSAFE.sub(_quote, "\n".join(names)).replace(" ", "%20").split("\n")
    if len(parts) == len(names):
        return parts
    return [quote(name, safe=DAV_SAFE, errors="surrogatepass") for name in names]


def _quote(found: re.Match[str]) -> str:
    return quote(found[0], safe=DAV_SAFE, errors="surrogatepass")


def escaped_href(raw: str) -> str:
    """A raw request path, without slashes at its end, as the beginning of hrefs."""
    return escape(raw.rstrip("/"))
