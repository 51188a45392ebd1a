"""PROPFIND (RFC 4918 §9.1): the verb that mounts send all day, so one look-up or listing, and prepared fragments."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape

from davbridge.dav.locks import Lock
from davbridge.dav.message import Headers, Request, Response
from davbridge.dav.properties import (
    IN_ALLPROP,
    IN_ALLPROP_FOR_EXPLORER,
    LIVE,
    LOCKS,
    QUOTA,
    SUPPORTED_LOCK,
    fragment,
    lock_discovery,
    missing,
)
from davbridge.dav.refusal import Refusal
from davbridge.dav.xmlbody import DAV, elements, empty_element, read_xml
from davbridge.drivers.protocol import Item, Quota
from davbridge.errors import Unsupported
from davbridge.paths import DavPath, fold

_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:">\n'
_TAIL = "</D:multistatus>\n"
_OK = "<D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
_BLOCK = 128
_WORTH_PACKING = 1400
_MOST_NAMES = 256
"""Names that a body may ask for: each that is missing is repeated for each item of the answer."""


@dataclass(frozen=True)
class Wanted:
    """What a request asks for: names of item properties, the others, and whether the dead ones are listed too."""

    live: tuple[str, ...]
    locks: tuple[str, ...] = ()
    quota: tuple[str, ...] = ()
    named_dead: tuple[str, ...] = ()
    all_dead: bool = False
    names_only: bool = False
    show_missing: bool = True


def handle(request: Request) -> Response:
    """207 with the item, and with Depth 1 its children.

    A failure in mid-listing is an error status: nothing is sent before the listing is complete, since a short answer
    would look like deleted files to a sync client.
    """
    depth, with_self = _depth(request)
    wanted = _wanted(request)
    item, children = _items(request, depth)
    writer = _Writer(request, wanted, item)
    blocks = [_HEAD.encode()]
    if with_self or not item.is_folder:
        blocks.append(writer.own().encode())
    batch: list[str] = []
    for child in children:
        batch.append(writer.child(child))
        if len(batch) == _BLOCK:
            blocks.append("".join(batch).encode())
            batch.clear()
    blocks.append(("".join(batch) + _TAIL).encode())
    return _response(request, blocks)


def _depth(request: Request) -> tuple[int, bool]:
    """Depth, and whether the item itself is wanted. Without the header: one level, since nobody means a tree walk."""
    value = request.header("Depth").lower().replace(" ", "")
    known = {"": (1, True), "0": (0, True), "1": (1, True), "1,noroot": (1, False)}
    if value in known:
        return known[value]
    if value.startswith("infinity"):
        raise Refusal(403, "a whole tree cannot be listed at once", condition="propfind-finite-depth")
    raise Refusal(400, "the Depth header is malformed")


def _items(request: Request, depth: int) -> tuple[Item, Iterable[Item]]:
    if depth == 0:
        return request.driver.stat(request.path), ()
    try:
        return request.driver.children(request.path)
    except Unsupported:
        return request.driver.stat(request.path), ()  # rclone and davfs2 ask with Depth 1 for files, too


def _wanted(request: Request) -> Wanted:
    root = read_xml(request)
    usual = IN_ALLPROP_FOR_EXPLORER if "MiniRedir" in request.agent or "DavClnt" in request.agent else IN_ALLPROP
    locks = () if usual is IN_ALLPROP_FOR_EXPLORER else LOCKS
    everything = Wanted(usual, locks, all_dead=True, show_missing=False)
    if root is None:
        return everything
    if root.tag != DAV + "propfind":
        raise Refusal(400, "the body is not a propfind element")
    asked = {child.tag: child for child in elements(root)}
    if DAV + "propname" in asked:
        return Wanted(usual, LOCKS, all_dead=True, names_only=True, show_missing=False)
    if DAV + "prop" in asked:
        return _named(request, [child.tag for child in elements(asked[DAV + "prop"])])
    if DAV + "allprop" in asked:
        included = [child.tag for child in elements(asked.get(DAV + "include", ()))]
        more = _named(request, included)
        live = tuple(dict.fromkeys((*usual, *more.live)))
        return Wanted(live, locks or more.locks, more.quota, more.named_dead, all_dead=True, show_missing=False)
    raise Refusal(400, "the body asks for nothing")


def _named(request: Request, tags: Sequence[str]) -> Wanted:
    names = list(dict.fromkeys(tags))
    if len(names) > _MOST_NAMES:
        raise Refusal(413, f"the body asks for more than {_MOST_NAMES} properties")
    dav = [name[len(DAV) :] for name in names if name.startswith(DAV)]
    live = tuple(name for name in dav if name in LIVE)
    locks = tuple(name for name in dav if name in LOCKS)
    # macOS 15.4 and later take 90 s to mount when they are told the quota (clients §3.3)
    quota = () if _stalls_on_quota(request.agent) else tuple(name for name in dav if name in QUOTA)
    known = {DAV + name for name in (*live, *locks, *quota)}
    return Wanted(live, locks, quota, tuple(name for name in names if name not in known))


def _stalls_on_quota(agent: str) -> bool:
    found = re.match(r"WebDAVFS/.*Darwin/(\d+)\.(\d+)", agent)
    return bool(found) and (int(found[1]), int(found[2])) >= (24, 4)  # type: ignore[index] # `found` is set


class _Writer:
    """Writes the response elements of one request."""

    def __init__(self, request: Request, wanted: Wanted, item: Item) -> None:
        self._request = request
        self._wanted = wanted
        self._item = item
        self._base = escape(request.prefix.rstrip("/"))
        name, path, shared = request.mount.name, request.path, request.shared
        self._now = shared.clock.now().timestamp()
        self._locks_above: list[Lock] = []
        self._locks_below: dict[str, list[Lock]] = {}
        if wanted.locks and shared.locks.any(name):
            self._locks_above = shared.locks.covering(name, path)
            for lock in shared.locks.below(name, path):
                if len(lock.path.names) == len(path.names) + 1:
                    self._locks_below.setdefault(fold(lock.path.name), []).append(lock)
        self._dead_own: dict[str, str] = {}
        self._dead_children: dict[str, dict[str, str]] = {}
        if wanted.all_dead or wanted.named_dead:
            self._dead_own = shared.deadprops.get(name, path)
            self._dead_children = shared.deadprops.of_children(name, path)
        self._constant = self._constant_part()
        self._absent = {kind: self._absent_part(kind) for kind in (True, False)}

    def own(self) -> str:
        item = self._item
        href = self._base + ("/" if item.is_folder or not self._base else "")
        if item.is_folder and self._request.path.is_root:
            # the root of a mount is known by the mount's name, whatever the drive calls it
            names = DavPath.parse(self._request.mount.path).names
            item = _renamed(item, names[-1] if names else "")
        _, properties = fragment(item, self._wanted.live)
        return self._response(href, item, properties, self._locks_above, self._dead_own)

    def child(self, item: Item) -> str:
        leaf, properties = fragment(item, self._wanted.live)
        locks, dead = self._locks_below, self._dead_children
        if not locks and not dead and not self._locks_above:
            # the usual case by far: nothing but prepared strings
            absent = self._absent[item.is_folder] if self._wanted.show_missing else ""
            if self._wanted.names_only:
                properties = _names_only(item, self._wanted.live)
            return (
                f"<D:response><D:href>{self._base}/{leaf}</D:href><D:propstat><D:prop>{properties}{self._constant}"
                f"</D:prop>{_OK}{absent}</D:response>\n"
            )
        key = fold(item.name)
        own = [lock for lock in self._locks_above if lock.infinite] + locks.get(key, [])
        return self._response(f"{self._base}/{leaf}", item, properties, own, dead.get(key, {}))

    def _response(self, href: str, item: Item, properties: str, locks: list[Lock], dead: dict[str, str]) -> str:
        wanted = self._wanted
        if wanted.names_only:
            properties = _names_only(item, wanted.live) + "".join(empty_element(name) for name in dead)
            properties += "".join(f"<D:{name}/>" for name in wanted.locks)
        else:
            properties += self._lock_part(locks) + self._quota_part()
            shown = dead if wanted.all_dead else {name: dead[name] for name in wanted.named_dead if name in dead}
            properties += "".join(shown.values())
        absent = ""
        if wanted.show_missing:
            gone = [f"<D:{name}/>" for name in missing(item, wanted.live)]
            gone += [empty_element(name) for name in wanted.named_dead if name not in dead]
            gone += [f"<D:{name}/>" for name in wanted.quota if self._quota is None]
            absent = _not_found("".join(gone))
        found = f"<D:propstat><D:prop>{properties}</D:prop>{_OK}" if properties or not absent else ""
        return f"<D:response><D:href>{href}</D:href>{found}{absent}</D:response>\n"

    def _constant_part(self) -> str:
        """What all children without locks and dead properties have in common."""
        self._quota: Quota | None = self._request.driver.quota() if self._wanted.quota else None
        if self._wanted.names_only:
            return "".join(f"<D:{name}/>" for name in self._wanted.locks)
        return self._lock_part([]) + self._quota_part()

    def _absent_part(self, folder: bool) -> str:
        lacking = {"getcontentlength", "getetag"} if folder else {"isFolder"}
        gone = [f"<D:{name}/>" for name in self._wanted.live if name in lacking]
        gone += [empty_element(name) for name in self._wanted.named_dead]
        gone += [f"<D:{name}/>" for name in self._wanted.quota if self._quota is None]
        return _not_found("".join(gone))

    def _lock_part(self, locks: list[Lock]) -> str:
        parts = []
        for name in self._wanted.locks:
            if name == "supportedlock":
                parts.append(SUPPORTED_LOCK)
            else:
                root = not self._request.agent.startswith("WebDAVFS")
                parts.append(lock_discovery(locks, self._href, self._now, lock_root=root))
        return "".join(parts)

    def _href(self, lock: Lock) -> str:
        return self._request.href(lock.path)

    def _quota_part(self) -> str:
        if self._quota is None:
            return ""
        values = {"quota-available-bytes": self._quota.available, "quota-used-bytes": self._quota.used}
        return "".join(f"<D:{name}>{values[name]}</D:{name}>" for name in self._wanted.quota)


def _renamed(item: Item, name: str) -> Item:
    return replace(item, name=name)


def _names_only(item: Item, names: Sequence[str]) -> str:
    gone = set(missing(item, names))
    return "".join(f"<D:{name}/>" for name in names if name not in gone)


def _not_found(names: str) -> str:
    if not names:
        return ""
    return f"<D:propstat><D:prop>{names}</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>"


def _response(request: Request, blocks: list[bytes]) -> Response:
    headers: Headers = [("Content-Type", "application/xml; charset=utf-8"), ("Cache-Control", "no-cache")]
    length = sum(len(block) for block in blocks)
    if length > _WORTH_PACKING and re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\b)", request.header("Accept-Encoding")):
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        blocks = [packer.compress(block) for block in blocks] + [packer.flush()]
        headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
    return Response(207, headers, blocks)
