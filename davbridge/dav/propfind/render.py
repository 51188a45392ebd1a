"""From items to response elements (RFC 4918 §14.24), many at a time.

A `Page` holds what all responses of one request have in common. `Page.write` makes the elements of a batch column by
column: the hot loops are list comprehensions over items and one `join`, without a call an item.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, repeat

from davbridge.dav.locks import Lock
from davbridge.dav.message import Request
from davbridge.dav.properties import (
    CALENDAR_SERVER,
    LIVE,
    NO_LOCKS,
    QUOTA,
    REPORTS,
    SUPPORTED_LOCK,
    SYNC,
    TAGS,
    file_tags,
    lock_discovery,
)
from davbridge.dav.propfind.frames import OPTIONAL, frames_of
from davbridge.dav.propfind.hrefs import leaves_of
from davbridge.dav.propfind.wanted import Wanted
from davbridge.dav.xmlbody import empty_element
from davbridge.drivers.protocol import Item, Tracks

_OPENING = b'<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:"'
_HEAD, _HEAD_WITH_CTAG = _OPENING + b">\n", _OPENING + f' xmlns:CS="{CALENDAR_SERVER}">\n'.encode()
TAIL = b"</D:multistatus>\n"
_MOST_KEPT, _LONGEST_KEPT = 1024, 4096
_kept: dict[tuple[object, ...], str] = {}
"""Responses of single items, by all that enters them: mounts look at the same few all day, and one takes 10 µs."""


class Page:
    """How the items of one request are written."""

    def __init__(self, request: Request, wanted: Wanted) -> None:
        self._request = request
        self._wanted = wanted
        self._quota = self._quota_values()
        self._sync = self._sync_values()
        self._usual = _usual(wanted, tuple(self._quota.items()))

    @property
    def head(self) -> bytes:
        """All before the first response. Windows reads prefixes when they are declared here (clients §4.5)."""
        return _HEAD_WITH_CTAG if "getctag" in self._wanted.live else _HEAD

    @property
    def key(self) -> tuple[object, ...]:
        """Whatever enters the bytes of an item that has no locks and no dead properties, besides the item."""
        return self._wanted, self._usual, tuple(self._sync.items())

    def write_one(self, href: str, item: Item) -> str:
        """The response of an item without locks and dead properties; `href` is the whole of it, escaped."""
        key = (href, item, self.key)
        known = _kept.get(key)
        if known is None:
            known = self.write(href, [item], leaves=[""])
            if len(known) <= _LONGEST_KEPT:
                if len(_kept) >= _MOST_KEPT:
                    _kept.clear()
                _kept[key] = known
        return known

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
        usual = self._usual
        if locks or dead:
            usual = self._extra(locks, dead or {}), _absent(self._wanted, self._quota, dead or {})
        frames = frames_of(self._wanted, *usual)
        columns = [self._column(name, items) for name in self._wanted.live]
        optional = [column for name, column in zip(self._wanted.live, columns, strict=True) if name in OPTIONAL]
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
        tag = TAGS[name]
        if name in SYNC:
            whole = f"<{tag}>{self._sync[name]}</{tag}>" if self._sync[name] else ""
            if self._wanted.names_only and whole:
                whole = f"<{tag}/>"
            # a folder without a stamp is one that REPORT refuses
            return [whole if item.stamp else "" for item in items]
        values = file_tags(items) if name == "getetag" and not self._wanted.folder_tags else LIVE[name](items)
        empty, opening, closing = f"<{tag}/>", f"<{tag}>", f"</{tag}>"
        if self._wanted.names_only:
            return ["" if value is None else empty for value in values]
        return [f"{opening}{value}{closing}" if value else "" if value is None else empty for value in values]

    def _extra(self, locks: Sequence[Lock], dead: Mapping[str, str]) -> str:
        """The properties that do not follow from an item alone."""
        request, discovery = self._request, NO_LOCKS
        if locks:
            # Finder counts hrefs, so it gets no lockroot
            root = not request.agent.startswith("WebDAVFS")
            now = request.shared.clock.now().timestamp()
            discovery = lock_discovery(locks, lambda lock: request.href(lock.path), now, lock_root=root)
        return _present(self._wanted, self._quota, discovery, dead)

    def _quota_values(self) -> dict[str, int]:
        if not self._wanted.quota:
            return {}
        quota = self._request.driver.quota()
        return dict(zip(QUOTA, (quota.available, quota.used), strict=True)) if quota else {}

    def _sync_values(self) -> dict[str, str]:
        """Values of SYNC, empty while nobody follows the tree's changes."""
        wanted = self._wanted.sync
        if not wanted:
            return {}
        driver = self._request.driver
        token = driver.sync_token() if isinstance(driver, Tracks) else ""
        values = {"sync-token": f"urn:davbridge:sync:{token}", "supported-report-set": REPORTS}
        return {name: values[name] if token else "" for name in wanted}


@lru_cache(512)
def _usual(wanted: Wanted, quota: tuple[tuple[str, int], ...]) -> tuple[str, str]:
    """What items without locks and dead properties have besides their own, and what they lack."""
    return _present(wanted, dict(quota), NO_LOCKS, {}), _absent(wanted, dict(quota), {})


def _present(wanted: Wanted, quota: Mapping[str, int], discovery: str, dead: Mapping[str, str]) -> str:
    if wanted.names_only:
        names = [f"<D:{name}/>" for name in wanted.locks]
        return "".join([*names, *(empty_element(name) for name in dead)])
    parts = [SUPPORTED_LOCK if name == "supportedlock" else discovery for name in wanted.locks]
    parts += [f"<D:{name}>{quota[name]}</D:{name}>" for name in wanted.quota if name in quota]
    parts += dead.values() if wanted.all_dead else [dead[name] for name in wanted.named_dead if name in dead]
    return "".join(parts)


def _absent(wanted: Wanted, quota: Mapping[str, int], dead: Mapping[str, str]) -> str:
    """Names of those that nothing has, or that these items lack."""
    if not wanted.show_missing:
        return ""
    gone = [empty_element(name) for name in wanted.named_dead if name not in dead]
    return "".join(gone + [f"<D:{name}/>" for name in wanted.quota if name not in quota])
