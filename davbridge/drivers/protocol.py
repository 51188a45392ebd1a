"""What a policy can do with its tree: the page to read first.

Paths are `DavPath`s below the policy's root; nothing above this line knows Graph. Every method completes, or raises one
of `davbridge.errors` and leaves the tree as it was.

The protocol is written for few Graph calls (design: one call where one will do): `put`, `make_folder`, `move`, `copy`
and `delete` do their own checks on the way, so a caller does not `stat` first unless it needs the answer itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol, runtime_checkable

from davbridge.body import Body
from davbridge.paths import DavPath
from davbridge.query import Query
from davbridge.redact import Secret


class Kind(Enum):
    """FOLDER has children; FILE has content; PACKAGE is a OneNote notebook: shown as an empty, read-only folder."""

    FILE = "file"
    FOLDER = "folder"
    PACKAGE = "package"


@dataclass(frozen=True, slots=True)
class Item:
    """A file or folder as DAV sees it.

    `id` survives rename and move. `etag` is the bare DAV entity tag: letters, digits and `-` only, no quotes; it
    changes with the content and with nothing else (empty for folders). `size` in bytes (0 for folders). Times are
    aware, UTC, whole seconds. `content_type` is empty for folders. `stamp`, of folders only: letters, digits and `-`;
    it changes whenever anything in the tree below changes, or the folder; empty when nobody watches the tree. Where a
    part of the tree below is not watched, it changes with time, too, since that part may have changed.
    """

    id: str
    name: str
    kind: Kind
    size: int
    etag: str
    created: datetime
    modified: datetime
    content_type: str = ""
    stamp: str = ""

    @property
    def is_folder(self) -> bool:
        """True for everything that DAV shows as a collection."""
        return self.kind is not Kind.FILE


@dataclass(frozen=True, slots=True)
class Times:
    """Timestamps that a client wants stored; None leaves one alone."""

    modified: datetime | None = None
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A byte range: `start` inclusive, `end` exclusive (None = to the end). The caller resolves suffix ranges."""

    start: int
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """Bytes used and available, never negative."""

    used: int
    available: int


@dataclass(frozen=True, slots=True)
class Written:
    """What a write made: the item as it is now, and whether it is new (False: it replaced one)."""

    item: Item
    created: bool


class Download(Protocol):
    """An open download of one version. Close it always; `with` does.

    `item` is the item as it was when opened, `start` the offset of the first byte, `length` the number of bytes that
    will come, `total` the size of the whole: both taken from the response being streamed, not from a listing.
    """

    item: Item
    start: int
    length: int
    total: int

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; empty exactly when `length` bytes were given.

        Raises:
            DownloadBroken: the bytes ended early or the version changed, and resuming did not help.
        """

    def close(self) -> None: ...

    def __enter__(self) -> Download: ...

    def __exit__(self, *exc: object) -> None: ...


class Driver(Protocol):
    """One policy's tree. Instances are shared by all threads.

    Every method may raise, besides what it names: Busy, NeedsSignIn, BadUpstream, Forbidden, Locked.
    """

    def stat(self, path: DavPath) -> Item:
        """The item at `path`; its `name` is the stored spelling.

        Raises: NotFound.
        """

    def knows(self, path: DavPath) -> bool:
        """True when `stat` would tell without asking Microsoft, be it that there is nothing. Raises nothing."""

    def children(self, path: DavPath) -> tuple[Item, Iterable[Item]]:
        """A folder and its children, in no order: a stream that is read once, and may raise in the middle.

        While the folder's stamp is the same, so are the children. Whoever stops reading calls `close`, if it has one.

        Raises: NotFound; Unsupported when `path` is a file.
        """

    def open(self, path: DavPath, span: Span | None = None, *, if_match: str | None = None) -> Download:
        """Start a download of the whole or of one range.

        Raises: NotFound, Unsupported (a folder), RangeNotSatisfiable, PreconditionFailed (`if_match` is not the etag).
        """

    def redirect_url(self, path: DavPath) -> Secret:
        """A pre-authenticated URL of the content, good for some minutes.

        Raises: NotFound, Unsupported.
        """

    def put(
        self,
        path: DavPath,
        body: Body,
        *,
        if_match: str | None = None,
        if_absent: bool = False,
        times: Times | None = None,
    ) -> Written:
        """Store `body` as the content of `path`: all of it or nothing. Keeps the id of a file it replaces.

        `if_match` is a DAV etag, or `*` for "must exist"; `if_absent` refuses to replace.

        Raises: ParentNotFound, NameRefused, Unsupported (a folder is there), PreconditionFailed, QuotaExceeded,
        TooLarge, BodyTruncated, UnknownOutcome.
        """

    def make_folder(self, path: DavPath) -> Item:
        """Raises: AlreadyExists, ParentNotFound, NameRefused."""

    def move(self, source: DavPath, target: DavPath, *, replace: bool) -> Written:
        """Rename and move in one step, also onto an existing item when `replace`; a case-only rename is a rename.

        A file that was uploaded here a moment ago and now replaces an older one becomes that one's new version
        (safe-save, law 4): the result then carries the target's id.

        Raises: NotFound (source), ParentNotFound, AlreadyExists (not `replace`), NameRefused, Unsupported (into
        itself).
        """

    def copy(self, source: DavPath, target: DavPath, *, replace: bool, deep: bool = True) -> Written:
        """Copy on the server, with everything below unless not `deep`. Returns when the copy is complete.

        Raises: as `move`.
        """

    def delete(self, path: DavPath, *, if_match: str | None = None) -> None:
        """Delete the item and everything below it, into the recycle bin.

        Raises: NotFound, PreconditionFailed.
        """

    def set_times(self, path: DavPath, times: Times) -> Item:
        """Raises: NotFound."""

    def quota(self) -> Quota | None:
        """None when the drive does not tell (many SharePoint libraries)."""


@runtime_checkable
class NeedsAccount(Protocol):
    """The ability to say, before anything of a body is read, that Microsoft can be spoken to."""

    def require_account(self, path: DavPath) -> None:
        """Raises: NeedsSignIn, Busy, BadUpstream, ConfigError. What is kept here needs no account, and never raises."""


@dataclass(frozen=True, slots=True)
class Change:
    """An item that is new, changed or elsewhere since a sync token, or (`item` None) a path that nothing is at now.

    `path` lies below the policy's root. `folder`, of a removed one: it was a folder. `closed`: a folder of whose
    members nothing is told here, though the question was `deep`, since nobody watches them.
    """

    path: DavPath
    item: Item | None
    folder: bool = False
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """`token` goes on where these end; `more`: the limit cut them off."""

    changes: tuple[Change, ...]
    token: str
    more: bool


@runtime_checkable
class Tracks(Protocol):
    """The ability to tell what has changed in a tree (RFC 6578)."""

    def sync_token(self) -> str:
        """The present moment, letters, digits and `-`; empty while nobody watches the tree.

        It is a token of those folders that have a stamp: of the others `changes` tells nothing.
        """

    def changes(self, path: DavPath, since: str, *, deep: bool, limit: int | None = None) -> Changes:
        """What changed in a folder since the token `since`; with an empty one everything that is there.

        `deep`: in the whole tree below, else among the folder's own children. The folder itself is never told.
        A folder that was moved is a removal of its old path and a change of everything below the new one; what was
        below a removed folder is not told. A path is told once at most: where a folder has gone and another come,
        `more` may be true without a limit, and the newcomer is told with the next token.

        Raises: NotFound, StaleToken (start over without a token), Unsupported (a file, or nobody watches), Busy
        (somebody does, but not all is known yet).
        """


@runtime_checkable
class Searches(Protocol):
    """The ability to find items by what is known of them (RFC 5323)."""

    def search(self, path: DavPath, query: Query, *, deep: bool) -> Iterable[tuple[DavPath, Item]]:
        """What matches in a folder, by path below the policy's root, in the query's order and up to its limit.

        `deep`: in the whole tree below, else among the folder's own children. The folder itself is never found. The
        iterable may raise in the middle.

        Raises: NotFound, Unsupported (a file, or nobody watches the tree), Busy (as `Tracks.changes`).
        """
