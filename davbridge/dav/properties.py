"""Live properties: what each is made of, and who may change it (RFC 4918 §15; facts: clients §4.5).

One line here is one property. Values are XML fragments with the prefix `D:`, without white space around them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from html import escape
from urllib.parse import quote

from davbridge.dav.dates import http_date, iso_date
from davbridge.dav.locks import Lock
from davbridge.drivers.protocol import Item
from davbridge.paths import DAV_SAFE

SUPPORTED_LOCK = (
    "<D:supportedlock>"
    "<D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>"
    "<D:lockentry><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>"
    "</D:supportedlock>"
)

# RFC 5323 §3.3: of whatever answers SEARCH, which files do, too
_GRAMMARS = "<D:supported-query-grammar><D:grammar><D:basicsearch/></D:grammar></D:supported-query-grammar>"

_dates = lru_cache(4096)(http_date)


def xml_text(text: str) -> str:
    """Escaped, and without the characters that XML cannot hold."""
    if not text.isprintable():
        text = "".join(
            c if c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff" else "\ufffd" for c in text
        )
    return escape(text, quote=False)


LIVE: dict[str, Callable[[Item], str | None]] = {
    "creationdate": lambda item: iso_date(item.created),
    "displayname": lambda item: xml_text(item.name),
    "getcontentlength": lambda item: None if item.is_folder else str(item.size),
    "getcontenttype": lambda item: "httpd/unix-directory" if item.is_folder else xml_text(item.content_type),
    "getetag": lambda item: f'"{item.etag}"' if item.etag else None,
    "getlastmodified": lambda item: _dates(item.modified),
    "resourcetype": lambda item: "<D:collection/>" if item.is_folder else "",
    "iscollection": lambda item: "1" if item.is_folder else "0",
    "isFolder": lambda item: "t" if item.is_folder else None,
    "ishidden": lambda item: "1" if item.name.startswith("~$") else "0",
    "isreadonly": lambda item: "0",
    "supported-query-grammar-set": lambda item: _GRAMMARS,
}
"""Properties that follow from the item alone; None: this item has none."""

IN_ALLPROP = (
    "creationdate",
    "displayname",
    "getcontentlength",
    "getcontenttype",
    "getetag",
    "getlastmodified",
    "resourcetype",
)
# Explorer stops at a million bytes of properties for a folder (clients §4.5)
IN_ALLPROP_FOR_EXPLORER = tuple(name for name in IN_ALLPROP if name != "getetag")
LOCKS = ("lockdiscovery", "supportedlock")
QUOTA = ("quota-available-bytes", "quota-used-bytes")
PROTECTED = frozenset({*LIVE, *LOCKS, *QUOTA, "quota", "quotaused"}) - {"getlastmodified", "creationdate"}
"""Names in DAV: that a client may not set."""


@lru_cache(16_384)
def fragment(item: Item, names: tuple[str, ...]) -> tuple[str, str]:
    """The item's own part of an href, and the XML of those of `names` that it has.

    Cached, since a folder is listed again and again while few of its items change; items are compared by value.
    """
    parts = []
    for name in names:
        value = LIVE[name](item)
        if value is not None:
            parts.append(f"<D:{name}>{value}</D:{name}>" if value else f"<D:{name}/>")
    leaf = quote(item.name, safe=DAV_SAFE)
    return leaf + "/" if item.is_folder else leaf, "".join(parts)


def missing(item: Item, names: Sequence[str]) -> list[str]:
    """Those of `names` that the item does not have."""
    return [name for name in names if LIVE[name](item) is None]


def lock_discovery(locks: Sequence[Lock], href: Callable[[Lock], str], now: float, *, lock_root: bool = True) -> str:
    """RFC 4918 §15.8. Finder counts hrefs and gets no lockroot (clients §4.5)."""
    if not locks:
        return "<D:lockdiscovery/>"
    return (
        f"<D:lockdiscovery>{''.join(active_lock(lock, href(lock), now, lock_root) for lock in locks)}</D:lockdiscovery>"
    )


def active_lock(lock: Lock, href: str, now: float, lock_root: bool = True) -> str:
    """One activelock element."""
    root = f"<D:lockroot><D:href>{escape(href)}</D:href></D:lockroot>" if lock_root else ""
    left = max(0, round(lock.expires - now))
    return (
        "<D:activelock><D:locktype><D:write/></D:locktype>"
        f"<D:lockscope><D:{'exclusive' if lock.exclusive else 'shared'}/></D:lockscope>"
        f"<D:depth>{'infinity' if lock.infinite else '0'}</D:depth>"
        f"{lock.owner}<D:timeout>Second-{left}</D:timeout>"
        f"<D:locktoken><D:href>{escape(lock.token)}</D:href></D:locktoken>{root}</D:activelock>"
    )
