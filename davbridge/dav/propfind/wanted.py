"""What a PROPFIND asks for: the depth, and the properties of RFC 4918 §14.20.

Mounts send the same few bodies all day, so what one means is remembered by its bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from davbridge.dav.message import Request
from davbridge.dav.properties import (
    CLARK,
    IN_ALLPROP,
    IN_ALLPROP_FOR_EXPLORER,
    LIVE,
    LOCKS,
    QUOTA,
    SYNC,
)
from davbridge.dav.refusal import Refusal
from davbridge.dav.xmlbody import DAV, elements, parse_xml, read_small

INFINITY = -1
_REMEMBERED_BYTES = 4096
_MOST_NAMES = 256
"""Names that a body may ask for: each that is missing is repeated for each item of the answer."""
_APPLE_SYSTEM = re.compile(r"WebDAVFS/.*Darwin/(\d+)\.(\d+)")
_QUESTIONS = frozenset({DAV + "propname", DAV + "prop", DAV + "allprop"})
"""A body has one of them: servers that take the first, the last or all of several would each tell something else."""
_DEPTHS = {"": (1, True), "0": (0, True), "1": (1, True), "1,noroot": (1, False)}


@dataclass(frozen=True)
class Wanted:
    """Names of item properties, the others, and whether the dead ones are listed too.

    `folder_tags`: getetag was asked for by name, and is told of folders, too. RFC 6578 §4 wants properties of
    collections that change all day told to those only who ask; Explorer counts bytes, and Finder and davfs2 have never
    seen an entity tag on a folder.
    """

    live: tuple[str, ...]
    locks: tuple[str, ...] = ()
    quota: tuple[str, ...] = ()
    named_dead: tuple[str, ...] = ()
    all_dead: bool = False
    names_only: bool = False
    show_missing: bool = True
    folder_tags: bool = False

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Found once: what is kept of any answer is found by it."""
        return hash((self.live, self.locks, self.quota, self.named_dead, self.all_dead, self.names_only))

    @cached_property
    def sync(self) -> tuple[str, ...]:
        """Names of those that not every tree has."""
        return tuple(name for name in self.live if name in SYNC)

    @property
    def dead(self) -> bool:
        """Whether dead properties have to be looked up at all."""
        return self.all_dead or bool(self.named_dead)


def read_depth(request: Request) -> tuple[int, bool]:
    """0, 1 or INFINITY, and whether the item itself is wanted. Without the header: 1, since nobody means a tree walk.

    Raises:
        Refusal: 400 for anything else.
    """
    value = request.header("Depth").lower().replace(" ", "")
    if value in _DEPTHS:
        return _DEPTHS[value]
    if value.startswith("infinity"):
        return INFINITY, value != "infinity,noroot"
    raise Refusal(400, "the Depth header is malformed")


def read_wanted(request: Request) -> Wanted:
    """What the body asks for; without a body everything that is in allprop.

    Raises:
        Refusal: 400, 413.
    """
    agent = request.agent
    explorer = "MiniRedir" in agent or "DavClnt" in agent
    raw = read_small(request)
    read = _remembered if len(raw) <= _REMEMBERED_BYTES else _read
    return read(raw, explorer, stalls_on_quota(agent))


def _read(raw: bytes, explorer: bool, no_quota: bool) -> Wanted:
    root = parse_xml(raw)
    usual = IN_ALLPROP_FOR_EXPLORER if explorer else IN_ALLPROP
    locks = () if explorer else LOCKS
    if root is None:
        return Wanted(usual, locks, all_dead=True, show_missing=False)
    if root.tag != DAV + "propfind":
        raise Refusal(400, "the body is not a propfind element")
    asked = {child.tag: child for child in elements(root)}
    if (count := sum(child.tag in _QUESTIONS for child in elements(root))) != 1:
        raise Refusal(
            400, f"the body asks {count} questions: it is one of propname, prop, or allprop (RFC 4918 §14.20)"
        )
    if DAV + "propname" in asked:
        return Wanted(usual, LOCKS, all_dead=True, names_only=True, show_missing=False)
    if DAV + "prop" in asked:
        return named([child.tag for child in elements(asked[DAV + "prop"])], no_quota=no_quota)
    included = [child.tag for child in elements(asked.get(DAV + "include", ()))]
    more = named(included, no_quota=no_quota)
    return Wanted(
        tuple(dict.fromkeys((*usual, *more.live))),
        locks or more.locks,
        more.quota,
        more.named_dead,
        all_dead=True,
        show_missing=False,
        folder_tags=more.folder_tags,
    )


_remembered = lru_cache(256)(_read)


def named(tags: Sequence[str], *, no_quota: bool = False) -> Wanted:
    """The properties with these Clark names, in this order, those that are missing included.

    Raises:
        Refusal: 413 for too many.
    """
    names = list(dict.fromkeys(tags))
    if len(names) > _MOST_NAMES:
        raise Refusal(413, f"the body asks for more than {_MOST_NAMES} properties")
    ours = [CLARK[name] for name in names if name in CLARK]
    quota = () if no_quota else tuple(name for name in ours if name in QUOTA)
    return Wanted(
        live=tuple(name for name in ours if name in LIVE or name in SYNC),
        locks=tuple(name for name in ours if name in LOCKS),
        quota=quota,
        named_dead=tuple(name for name in names if name not in CLARK or (no_quota and CLARK[name] in QUOTA)),
        folder_tags="getetag" in ours,
    )


def stalls_on_quota(agent: str) -> bool:
    """macOS 15.4 and later take 90 s to mount when they are told the quota (clients §3.3)."""
    if not agent.startswith("WebDAVFS"):
        return False
    found = _APPLE_SYSTEM.match(agent)
    return found is not None and (int(found[1]), int(found[2])) >= (24, 4)
