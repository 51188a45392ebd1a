"""A DAV request and response as the verbs see them: no WSGI above the dispatcher's line.

`Request` is made once by `provider`; a verb is a function `(Request) -> Response` in its own file under `verbs/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

from davbridge.clock import Clock
from davbridge.dav.propfind.prepared import Prepared
from davbridge.drivers.protocol import Driver
from davbridge.paths import DavPath

if TYPE_CHECKING:
    from davbridge.dav.deadprops import DeadProperties
    from davbridge.dav.followers import Followers
    from davbridge.dav.locks import Lock, LockTable

Right = Literal["read", "write"]
DownloadMode = Literal["proxy", "redirect", "auto"]
Headers = list[tuple[str, str]]

_APPLE = re.compile(r"WebDAVFS|Darwin|CFNetwork|Mac ?OS")


@dataclass(frozen=True)
class Mount:
    """One policy on its URL prefix. `path` begins with `/` and has no trailing slash; `access` maps users to rights.

    `driver_for(user)` is the tree as that user sees it (their own side files over the policy's driver).
    """

    name: str
    path: str
    driver: DriverSource
    access: Mapping[str, Right]
    download: DownloadMode = "proxy"

    def binds(self, lock: Lock) -> bool:
        """Whether a lock stands in anybody's way: those of users who may not write do not."""
        return self.access.get(lock.user) == "write"

    def below(self, path: DavPath) -> DavPath | None:
        """What of a path from the server's root on lies below the mount; None: it is elsewhere."""
        own = DavPath.parse(self.path)
        return path.relative_to(own) if path.is_within(own) else None


class DriverSource(Protocol):
    """Gives the driver for one user; `FixedDriver` gives all the same."""

    def for_user(self, user: str) -> Driver: ...


@dataclass(frozen=True)
class FixedDriver:
    """The same driver for everybody."""

    driver: Driver

    def for_user(self, user: str) -> Driver:
        return self.driver


@dataclass(frozen=True)
class Shared:
    """What all requests share: the tables in the state file, the clock, limits, the server's own addresses."""

    locks: LockTable
    deadprops: DeadProperties
    clock: Clock
    hosts: frozenset[str] = frozenset()
    """Host names (lower case, without port) that `Destination` may name besides the request's own Host."""
    spool_limit: int = 10 * 2**30
    """Bytes that one upload of unknown length may put on disk."""
    spool_folder: str | None = None
    """Where it is put; None: the system's temporary folder."""
    infinite_depth: int = 0
    """Items that a PROPFIND with Depth infinity may list; 0: there is none."""
    prepared: Prepared = field(default_factory=Prepared)
    followers: Followers | None = None
    """Who does not follow redirects; None: nobody remembers."""


@cache
def _key(name: str) -> str:
    """The header's name in WSGI."""
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key


@dataclass
class Request:
    """One request. `path` lies below `mount`; `prefix` is the raw request path, for hrefs that must repeat it."""

    environ: dict[str, Any]
    method: str
    mount: Mount
    path: DavPath
    prefix: str
    user: str
    driver: Driver
    shared: Shared

    def header(self, name: str) -> str:
        """The header's value stripped, or empty. `name` as in HTTP: `If-Match`."""
        return str(self.environ.get(_key(name), "")).strip()

    @property
    def agent(self) -> str:
        return self.header("User-Agent")

    def spelled(self, path: DavPath) -> DavPath:
        """`path` as it is to be stored: in NFC for Apple's clients, which take names apart and do not mind others.

        All other spellings are kept: davfs2 drops a folder with unsent files when a listing shows its name in other
        bytes than it has sent.
        """
        return path.composed if _APPLE.search(self.agent) else path

    @property
    def may_write(self) -> bool:
        return self.mount.access.get(self.user) == "write"

    def href(self, path: DavPath, *, collection: bool = False) -> str:
        """The absolute path of an item below this request's mount, percent-encoded."""
        return self.mount.path.rstrip("/") + path.url(collection=collection)


@dataclass
class Response:
    """Status, headers and body blocks. The dispatcher adds security headers and, for known bodies, Content-Length.

    `body` may be a generator; when it has a `close` method the server calls it however the response ends. `streamed`:
    its length is not known, so it goes out in chunks, to an HTTP/1.0 client until the connection is closed.
    """

    status: int
    headers: Headers = field(default_factory=list)
    body: Iterable[bytes] = ()
    streamed: bool = False


def as_sent(text: str) -> str:
    """A part of a header whose characters beyond ASCII were not percent-encoded: UTF-8, which WSGI shows as Latin-1.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    return text.encode("latin-1").decode("utf-8")
