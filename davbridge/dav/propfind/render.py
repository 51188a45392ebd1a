"""From items to response elements (RFC 4918 §14.24), many at a time.

A `Page` holds what all responses of one request have in common. `Page.write` makes the elements of a batch column by
column: the hot loops are list comprehensions over items and one `join`, without a call an item.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import chain, repeat
from urllib.parse import quote

from davbridge.dav.locks import Lock
from davbridge.dav.message import Request
from davbridge.dav.properties import (
    CALENDAR_SERVER,
    FILE,
    LIVE,
    QUOTA,
    REPORTS,
    SUPPORTED_LOCK,
    SYNC,
    element,
    file_tags,
    lock_discovery,
)
from davbridge.dav.propfind.wanted import Wanted
from davbridge.dav.xmlbody import empty_element
from davbridge.drivers.protocol import Item, Tracks
from davbridge.paths import DAV_SAFE

TAIL = b"</D:multistatus>\n"
_FOUND, _OK = "</D:href><D:propstat><D:prop>", "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
_LOST, _NOT_FOUND = "<D:propstat><D:prop>", "</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>"
_UNSAFE = re.compile(rf"[^A-Za-z0-9 \n{re.escape(DAV_SAFE)}]+")
_OPTIONAL = frozenset({"getcontentlength", "getetag", "isFolder", "getctag", *SYNC})
"""Properties that some items do not have."""


class _Frames(dict[tuple[bool, ...], tuple[str, str]]):
    """What stands before and behind an item's own properties, by which of the optional ones it lacks.

    `extra` is the XML of further properties that it has, `absent` of those that it lacks besides.
    """

    def __init__(self, wanted: Wanted, extra: str, absent: str) -> None:
        super().__init__()
        self._optional = [name for name in wanted.live if name in _OPTIONAL]
        self._always = len(wanted.live) > len(self._optional) or bool(extra) or not wanted.show_missing
        self._wanted = wanted
        self._extra = extra
        self._absent = absent

    def __missing__(self, lacks: tuple[bool, ...]) -> tuple[str, str]:
        lost = ""
        if self._wanted.show_missing:
            gone = (f"<{element(name)}/>" for name, lacking in zip(self._optional, lacks, strict=True) if lacking)
            lost = "".join(gone) + self._absent
        lost = f"{_LOST}{lost}{_NOT_FOUND}" if lost else ""
        if self._always or not all(lacks) or not lost:
            frame = _FOUND, f"{self._extra}{_OK}{lost}</D:response>\n"
        else:
            frame = "</D:href>", f"{lost}</D:response>\n"
        self[lacks] = frame
        return frame


class Page:
    """How the items of one request are written."""

    def __init__(self, request: Request, wanted: Wanted) -> None:
        self._request = request
        self._wanted = wanted
        self._quota = self._quota_values()
        self._sync = self._sync_values()
        self._usual = self._extra((), {}), self._absent({})
        self._frames: dict[tuple[str, str], _Frames] = {}

    @property
    def head(self) -> bytes:
        """All before the first response. Windows reads prefixes when they are declared here (clients §4.5)."""
        more = f' xmlns:CS="{CALENDAR_SERVER}"' if "getctag" in self._wanted.live else ""
        return f'<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:"{more}>\n'.encode()

    @property
    def key(self) -> tuple[object, ...]:
        """Whatever enters the bytes of an item that has no locks and no dead properties, besides the item."""
        return self._wanted, self._usual, tuple(self._sync.items())

    def write(
        self,
        base: str,
        items: Sequence[Item],
        locks: Sequence[Lock] = (),
        dead: Mapping[str, str] | None = None,
        *,
        leaves: Iterable[str] | None = None,
    ) -> str:
        """The responses of items that have these locks and dead properties, all of them.

        `base` is the beginning of their hrefs, escaped; `leaves` the ends, when these are not their names.
        """
        usual = self._usual if not locks and not dead else (self._extra(locks, dead or {}), self._absent(dead or {}))
        frames = self._frames.get(usual)
        if frames is None:
            frames = self._frames[usual] = _Frames(self._wanted, *usual)
        columns = [self._column(name, items) for name in self._wanted.live]
        optional = [column for name, column in zip(self._wanted.live, columns, strict=True) if name in _OPTIONAL]
        before: Iterable[str]
        behind: Iterable[str]
        if any("" in column for column in optional):
            lacks = zip(*([not cell for cell in column] for column in optional), strict=True)
            before, behind = zip(*[frames[flags] for flags in lacks], strict=True)
        else:
            before, behind = map(repeat, frames[(False,) * len(optional)])
        begin = repeat("<D:response><D:href>" + base)
        ends = leaves_of(items) if leaves is None else leaves
        return "".join(chain.from_iterable(zip(begin, ends, before, *columns, behind)))  # noqa: B905 - repeat is endless

    def _column(self, name: str, items: Sequence[Item]) -> list[str]:
        """One property of all items, as elements; empty where an item has none."""
        tag = element(name)
        if name in SYNC:
            whole = f"<{tag}>{self._sync[name]}</{tag}>" if self._sync[name] else ""
            if self._wanted.names_only and whole:
                whole = f"<{tag}/>"
            return ["" if item.kind is FILE else whole for item in items]
        values = file_tags(items) if name == "getetag" and not self._wanted.folder_tags else LIVE[name](items)
        empty, opening, closing = f"<{tag}/>", f"<{tag}>", f"</{tag}>"
        if self._wanted.names_only:
            return ["" if value is None else empty for value in values]
        return [f"{opening}{value}{closing}" if value else "" if value is None else empty for value in values]

    def _extra(self, locks: Sequence[Lock], dead: Mapping[str, str]) -> str:
        """The properties that do not follow from an item alone."""
        wanted = self._wanted
        if wanted.names_only:
            names = [f"<D:{name}/>" for name in wanted.locks]
            return "".join([*names, *(empty_element(name) for name in dead)])
        parts = [self._lock_part(name, locks) for name in wanted.locks]
        parts += [f"<D:{name}>{self._quota[name]}</D:{name}>" for name in wanted.quota if name in self._quota]
        parts += dead.values() if wanted.all_dead else [dead[name] for name in wanted.named_dead if name in dead]
        return "".join(parts)

    def _absent(self, dead: Mapping[str, str]) -> str:
        """Names of those that nothing has, or that these items lack."""
        if not self._wanted.show_missing:
            return ""
        gone = [empty_element(name) for name in self._wanted.named_dead if name not in dead]
        return "".join(gone + [f"<D:{name}/>" for name in self._wanted.quota if name not in self._quota])

    def _lock_part(self, name: str, locks: Sequence[Lock]) -> str:
        if name == "supportedlock":
            return SUPPORTED_LOCK
        request = self._request
        now = request.shared.clock.now().timestamp() if locks else 0.0
        # Finder counts hrefs, so it gets no lockroot
        root = not request.agent.startswith("WebDAVFS")
        return lock_discovery(locks, lambda lock: request.href(lock.path), now, lock_root=root)

    def _quota_values(self) -> dict[str, int]:
        quota = self._request.driver.quota() if self._wanted.quota else None
        return dict(zip(QUOTA, (quota.available, quota.used), strict=True)) if quota else {}

    def _sync_values(self) -> dict[str, str]:
        """Values of SYNC, empty while nobody follows the tree's changes."""
        wanted = [name for name in self._wanted.live if name in SYNC]
        if not wanted:
            return {}
        driver = self._request.driver
        token = driver.sync_token() if isinstance(driver, Tracks) else ""
        values = {"sync-token": f"urn:davbridge:sync:{token}", "supported-report-set": REPORTS}
        return {name: values[name] if token else "" for name in wanted}


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
