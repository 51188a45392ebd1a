"""Paths and names: the one place that knows how a URL path becomes folders and a name, and which names can be stored.

* `DavPath`: decoded, normalised path below a mount: a tuple of names. Syntax only.
* `check_name`: OneDrive's own rules (facts/graph.md §9.2); a name that breaks them is refused before any call.
* `fold`: the comparison key. OneDrive is case-insensitive and treats NFC and NFD as the same name (§9.3).

This module must never decode twice, and never join path strings by hand elsewhere: use `DavPath.url` or `.graph`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from davbridge.errors import BadPath, NameRefused

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f"*:<>?/\\|]')
_RESERVED = {".lock", "con", "prn", "aux", "nul", "desktop.ini"} | {
    f"{device}{number}" for device in ("com", "lpt") for number in range(10)
}
# Graph cannot store these; their full-width look-alikes can be stored, and are what rclone uses, too (§9.2)
LOOK_ALIKES = str.maketrans('"*:<>?\\|', "\uff02\uff0a\uff1a\uff1c\uff1e\uff1f\uff3c\uff5c")
MAX_NAME = 255
MAX_PATH = 400

# clients.md §4.5: encode `%`, `#`, `?`, `&`, space, `;`, `[`, `]`, `"` always; these may stay raw.
DAV_SAFE = "-._~!$'()*,:@="
# graph.md §1.3 gives the characters that may stay raw in a Graph path; the short list is the safe choice.
_GRAPH_SAFE = "-._~"


def fold(name: str) -> str:
    """The key under which OneDrive would call two names the same: NFC, case-folded."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def compose(name: str) -> str:
    """The name in NFC."""
    return unicodedata.normalize("NFC", name)


def check_name(name: str) -> None:
    """Refuse a name that OneDrive and SharePoint cannot store.

    Raises:
        NameRefused: with the reason in words. Source: facts/graph.md §9.2.
    """
    if _FORBIDDEN.search(name):
        raise NameRefused(
            f'OneDrive cannot store {name!r}: names may not contain " * : < > ? / \\ | or control characters'
        )
    if name != name.strip(" ") or name.endswith("."):
        raise NameRefused(
            f"OneDrive cannot store {name!r}: names may not begin or end with a space, nor end with a dot"
        )
    lowered = name.lower()
    if lowered in _RESERVED:
        raise NameRefused(f"OneDrive cannot store {name!r}: the name is reserved")
    if name.startswith("~$") or "_vti_" in lowered:
        raise NameRefused(f"OneDrive cannot store {name!r}: names may not begin with ~$ nor contain _vti_")
    if len(name.encode("utf-16-le")) // 2 > MAX_NAME:
        raise NameRefused(f"the name is longer than {MAX_NAME} characters")


@dataclass(frozen=True, slots=True)
class DavPath:
    """A path below a mount (or below a policy's root): its names, outermost first. The root has none."""

    names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: str) -> DavPath:
        """Read a percent-encoded URL path: split on `/` first, then decode each segment exactly once.

        A trailing slash and empty segments are ignored; `.` and `..` (also encoded) are refused, since a client has
        resolved its own before sending. Names are returned as sent (no Unicode normalisation), but for the characters
        that OneDrive cannot store: these are their look-alikes from here on, so that `a?b` and the stored `a？b` are
        one name (docs/decisions/002).

        Raises:
            BadPath: not UTF-8, an encoded slash, NUL, or a dot segment.
        """
        names: list[str] = []
        for segment in raw.split("/"):
            if not segment:
                continue
            if "%" in segment or not segment.isascii():
                try:
                    name = unquote_to_bytes(segment).decode("utf-8")
                except UnicodeDecodeError:
                    raise BadPath("the path is not valid UTF-8") from None
            else:
                name = segment
            if name in (".", "..") or "/" in name or "\x00" in name:
                raise BadPath(f"the path may not contain the segment {name!r}")
            names.append(name.translate(LOOK_ALIKES))
        return cls(tuple(names))

    @property
    def is_root(self) -> bool:
        return not self.names

    @property
    def name(self) -> str:
        """The last name; empty for the root."""
        return self.names[-1] if self.names else ""

    @property
    def parent(self) -> DavPath:
        """The containing folder; the root is its own parent."""
        return DavPath(self.names[:-1])

    def child(self, name: str) -> DavPath:
        return DavPath((*self.names, name))

    def with_name(self, name: str) -> DavPath:
        return DavPath((*self.names[:-1], name))

    def join(self, other: DavPath) -> DavPath:
        return DavPath(self.names + other.names)

    def is_within(self, other: DavPath) -> bool:
        """True when this path is `other` or lies below it, compared as OneDrive would."""
        mine = self.folded
        return mine[: len(other.names)] == other.folded

    def relative_to(self, other: DavPath) -> DavPath:
        """What remains after the first `len(other.names)` names."""
        return DavPath(self.names[len(other.names) :])

    @property
    def folded(self) -> tuple[str, ...]:
        """The comparison key of the whole path."""
        return tuple(fold(name) for name in self.names)

    def check(self) -> None:
        """Refuse a path that OneDrive cannot store (each name, and the length of the whole).

        Raises:
            NameRefused: with the reason.
        """
        for name in self.names:
            check_name(name)
        if len("/".join(self.names).encode("utf-16-le")) // 2 > MAX_PATH:
            raise NameRefused(f"the path is longer than {MAX_PATH} characters")

    def url(self, *, collection: bool = False) -> str:
        """Percent-encoded for an href: begins with `/`; ends with `/` for a collection."""
        path = "".join("/" + quote(name, safe=DAV_SAFE) for name in self.names)
        return path + "/" if collection or not path else path

    @property
    def composed(self) -> DavPath:
        """The same path with every name in NFC."""
        return DavPath(tuple(compose(name) for name in self.names))

    def graph(self) -> str:
        """Percent-encoded for a Graph colon path, without a leading slash: `A%20b/c.txt`."""
        return "/".join(quote(name, safe=_GRAPH_SAFE) for name in self.names)

    def __str__(self) -> str:
        return "/" + "/".join(self.names)


ROOT = DavPath()
"""The policy's root."""
