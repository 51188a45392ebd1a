"""What stands around an item's own properties in its response: propstats and their statuses (RFC 4918 §9.1)."""

from __future__ import annotations

from functools import lru_cache

from davbridge.dav.properties import SYNC, TAGS
from davbridge.dav.propfind.wanted import Wanted

_FOUND, _OK = "</D:href><D:propstat><D:prop>", "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
_LOST, _NOT_FOUND = "<D:propstat><D:prop>", "</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>"
OPTIONAL = frozenset({"getcontentlength", "getetag", "isFolder", "getctag", *SYNC})
"""Properties that some items do not have."""


class Frames(dict[tuple[bool, ...], tuple[str, str]]):
    """What stands before and behind an item's own properties, by which of the optional ones it lacks.

    `extra` is the XML of further properties that it has, `absent` of those that it lacks besides.
    """

    def __init__(self, wanted: Wanted, extra: str, absent: str) -> None:
        super().__init__()
        self._optional = [name for name in wanted.live if name in OPTIONAL]
        self._always = len(wanted.live) > len(self._optional) or bool(extra) or not wanted.show_missing
        self._wanted = wanted
        self._extra = extra
        self._absent = absent

    def __missing__(self, lacks: tuple[bool, ...]) -> tuple[str, str]:
        lost = ""
        if self._wanted.show_missing:
            gone = (f"<{TAGS[name]}/>" for name, lacking in zip(self._optional, lacks, strict=True) if lacking)
            lost = "".join(gone) + self._absent
        lost = f"{_LOST}{lost}{_NOT_FOUND}" if lost else ""
        if self._always or not all(lacks) or not lost:
            frame = _FOUND, f"{self._extra}{_OK}{lost}</D:response>\n"
        else:
            frame = "</D:href>", f"{lost}</D:response>\n"
        self[lacks] = frame
        return frame


@lru_cache(512)
def frames_of(wanted: Wanted, extra: str, absent: str) -> Frames:
    """Kept, since mounts ask for the same few sets."""
    return Frames(wanted, extra, absent)
