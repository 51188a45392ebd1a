"""Live properties: what each is made of, and who may change it (RFC 4918 §15; facts: clients §4.5).

One line here is one property. Values are XML fragments with the prefix `D:`, without white space around them. They are
made for many items at a time: a listing of 100,000 has no time for a function call an item and property.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from html import escape

from davbridge.dav.dates import http_date, iso_date
from davbridge.dav.locks import Lock
from davbridge.drivers.protocol import Item, Kind

Items = Sequence[Item]
Values = list[str | None]

SUPPORTED_LOCK = (
    "<D:supportedlock>"
    "<D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>"
    "<D:lockentry><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>"
    "</D:supportedlock>"
)
NO_LOCKS = "<D:lockdiscovery/>"
REPORTS = "<D:supported-report><D:report><D:sync-collection/></D:report></D:supported-report>"
CALENDAR_SERVER = "http://calendarserver.org/ns/"
FILE = Kind.FILE
# RFC 5323 §3.3: of whatever answers SEARCH, which files do, too
_GRAMMARS = "<D:supported-query-grammar><D:grammar><D:basicsearch/></D:grammar></D:supported-query-grammar>"


def xml_text(value: str) -> str:
    """Escaped, and without the characters that XML cannot hold."""
    if not value.isprintable():
        value = "".join(
            c if c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff" else "\ufffd" for c in value
        )
    return escape(value, quote=False)


_type = lru_cache(1024)(xml_text)


def texts(values: Sequence[str]) -> list[str]:
    """`xml_text` of each, escaped all at once where none of them is odd."""
    joined = "\n".join(values)
    if joined.replace("\n", "").isprintable():
        parts = escape(joined, quote=False).split("\n")
        if len(parts) == len(values):
            return parts
    return [xml_text(value) for value in values]


LIVE: dict[str, Callable[[Items], Values]] = {
    "creationdate": lambda items: [iso_date(item.created) for item in items],
    "displayname": lambda items: [*texts([item.name for item in items])],
    "getcontentlength": lambda items: [str(item.size) if item.kind is FILE else None for item in items],
    "getcontenttype": lambda items: [
        _type(item.content_type) if item.kind is FILE else "httpd/unix-directory" for item in items
    ],
    "getetag": lambda items: [f'"{tag}"' if (tag := item.etag or item.stamp) else None for item in items],
    "getlastmodified": lambda items: [http_date(item.modified) for item in items],
    "resourcetype": lambda items: ["" if item.kind is FILE else "<D:collection/>" for item in items],
    "iscollection": lambda items: ["0" if item.kind is FILE else "1" for item in items],
    "isFolder": lambda items: [None if item.kind is FILE else "t" for item in items],
    "ishidden": lambda items: ["1" if item.name.startswith("~$") else "0" for item in items],
    "isreadonly": lambda items: ["0" for _ in items],
    "getctag": lambda items: [item.stamp or None for item in items],
    "supported-query-grammar-set": lambda items: [_GRAMMARS for _ in items],
}
"""Properties that follow from the item alone; None: this item has none."""


def file_tags(items: Items) -> Values:
    """getetag as allprop has it: of files only."""
    return [f'"{item.etag}"' if item.etag else None for item in items]


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
SYNC = ("sync-token", "supported-report-set")
"""Of folders whose changes are followed (RFC 6578 §3, §4): never in allprop."""
CLARK = {f"{{DAV:}}{name}": name for name in (*LIVE, *LOCKS, *QUOTA, *SYNC) if name != "getctag"} | {
    f"{{{CALENDAR_SERVER}}}getctag": "getctag"
}
"""Our names by their Clark names."""
PROTECTED = frozenset({*CLARK, "{DAV:}quota", "{DAV:}quotaused"} - {"{DAV:}getlastmodified", "{DAV:}creationdate"})
"""Clark names that a client may not set."""


TAGS = {name: "CS:getctag" if name == "getctag" else "D:" + name for name in CLARK.values()}
"""The tag of each of our properties, with its prefix."""


def lock_discovery(locks: Sequence[Lock], href: Callable[[Lock], str], now: float, *, lock_root: bool = True) -> str:
    """RFC 4918 §15.8. Finder counts hrefs and gets no lockroot (clients §4.5)."""
    if not locks:
        return NO_LOCKS
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
