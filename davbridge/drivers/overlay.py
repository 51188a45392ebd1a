"""A driver over another one: side files and placeholders appear in the tree as if they were there.

Everything that is neither passes through untouched, after one indexed look into the state file. Why here and not in the
verbs: all of them see the same tree, and the contract of the protocol holds for it.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol, runtime_checkable

from davbridge.body import Body
from davbridge.clock import Clock
from davbridge.drivers.protocol import (
    Changes,
    Download,
    Driver,
    Item,
    NeedsAccount,
    Quota,
    Searches,
    Span,
    Times,
    Tracks,
    Written,
)
from davbridge.drivers.sidestore import LARGEST, SideFile, SideStore, side_user
from davbridge.errors import (
    AlreadyExists,
    BridgeError,
    NotFound,
    ParentNotFound,
    PreconditionFailed,
    RangeNotSatisfiable,
    TooLarge,
    Unsupported,
)
from davbridge.paths import DavPath, fold
from davbridge.query import Query
from davbridge.redact import Secret
from davbridge.store.database import Database

log = logging.getLogger(__name__)
PLACEHOLDER_SECONDS = 30.0
FILLING_SECONDS = 86_400.0
"""While its content comes a placeholder is not due: no upload takes longer (facts/graph.md §3.6)."""


@runtime_checkable
class Reserves(Protocol):
    """The ability to hold a name for content that is about to come."""

    def reserve(self, path: DavPath) -> Item:
        """Show an empty file at a free name, without telling Microsoft.

        Raises: ParentNotFound, NameRefused.
        """

    def reserve_unseen(self, path: DavPath) -> None:
        """As `reserve`, where nothing is known of the name and a call would have to tell: it is looked at later.

        Raises: NameRefused.
        """

    def settle(self, path: DavPath) -> None:
        """Make a reserved name an empty file, if no content has come. Best effort: what fails is tried again later."""


class Overlay:
    """Makes each user's view of one policy's driver. `is_locked` says whether a DAV lock covers a path."""

    def __init__(
        self, driver: Driver, database: Database, policy: str, clock: Clock, is_locked: Callable[[DavPath], bool]
    ) -> None:
        self._driver = driver
        self._store = SideStore(database, policy, clock)
        self._is_locked = is_locked

    def for_user(self, user: str) -> OverlaidDriver:
        return OverlaidDriver(self._driver, self._store, user)

    def settle_due(self) -> None:
        """Turn the placeholders whose time is over into empty files; those under a lock wait for its end."""
        view = self.for_user("")
        for side in self._store.due():
            if self._is_locked(side.path):
                self._store.postpone(side, PLACEHOLDER_SECONDS)
            else:
                view.settle(side.path)


class OverlaidDriver(Driver):
    """One user's tree."""

    def __init__(self, driver: Driver, store: SideStore, user: str) -> None:
        self._driver = driver
        self._store = store
        self._user = user

    # -- reading ------------------------------------------------------------------------------------------------

    def knows(self, path: DavPath) -> bool:
        side = self._store.find(path, self._user)
        return side_user(path, self._user) is not None or side is not None or self._driver.knows(path)

    def _find(self, path: DavPath) -> SideFile | None:
        """What the overlay has at `path`; a name that nobody has looked at yet is looked at now."""
        side = self._store.find(path, self._user)
        if side is None or not side.unseen:
            return side
        try:
            self._driver.stat(path)
        except NotFound:
            try:
                self._require_folder(path.parent)
            except ParentNotFound:
                self._store.remove(side)
                return None
            return self._store.seen(side)
        self._store.remove(side)
        return None

    def stat(self, path: DavPath) -> Item:
        side = self._find(path)
        if side is None and side_user(path, self._user) is not None:
            return self._stored_anyway(path)
        if side is not None:
            return side.item
        item = self._driver.stat(path)
        return _marked(item, self._store.marks(path, self._user).own) if item.stamp else item

    def _stored_anyway(self, path: DavPath) -> Item:
        """A name of a side file that is in the drive all the same, put there by another program."""
        _parent, children = self._driver.children(path.parent) if not path.is_root else (None, ())
        found = next((child for child in children if fold(child.name) == fold(path.name)), None)
        if found is None:
            raise NotFound(f"{path} does not exist")
        return found

    def children(self, path: DavPath) -> tuple[Item, Iterable[Item]]:
        if self._find(path):
            raise Unsupported(f"{path} is a file")
        folder, children = self._driver.children(path)
        sides = [side for side in self._store.in_folder(path, self._user) if not side.unseen or self._find(side.path)]
        if sides:
            children = _merged(children, sides)
        if not folder.stamp:
            return folder, children
        marks = self._store.marks(path, self._user)
        return _marked(folder, marks.own), _all_marked(children, marks.below) if marks.below else children

    def open(self, path: DavPath, span: Span | None = None, *, if_match: str | None = None) -> Download:
        side = self._find(path)
        if side is None:
            return self._driver.open(path, span, if_match=if_match)
        _check_match(side, if_match)
        return BytesDownload(side.item, side.data, span)

    def redirect_url(self, path: DavPath) -> Secret:
        if self._find(path):
            raise Unsupported(f"{path} is not at Microsoft")
        return self._driver.redirect_url(path)

    def quota(self) -> Quota | None:
        return self._driver.quota()

    # -- what only the drive can tell: side files are not in it, and come to no other client

    def sync_token(self) -> str:
        return self._driver.sync_token() if isinstance(self._driver, Tracks) else ""

    def changes(self, path: DavPath, since: str, *, deep: bool, limit: int | None = None) -> Changes:
        if not isinstance(self._driver, Tracks):
            raise Unsupported("nobody watches the tree")
        return self._driver.changes(path, since, deep=deep, limit=limit)

    def search(self, path: DavPath, query: Query, *, deep: bool) -> Iterable[tuple[DavPath, Item]]:
        if not isinstance(self._driver, Searches):
            raise Unsupported("the tree cannot be searched")
        return self._driver.search(path, query, deep=deep)

    # -- reserved names -----------------------------------------------------------------------------------------

    def reserve(self, path: DavPath) -> Item:
        """See `Reserves`."""
        if side := self._find(path):
            return side.item
        owner = side_user(path, self._user)
        if owner is None:
            path.check()
        self._require_folder(path.parent)
        if owner is not None:
            return self._store.put(path, owner, b"").item
        return self._store.put(path, "", b"", placeholder=True, seconds=PLACEHOLDER_SECONDS).item

    def reserve_unseen(self, path: DavPath) -> None:
        """See `Reserves`."""
        path.check()
        self._store.put(path, "", b"", placeholder=True, unseen=True, seconds=PLACEHOLDER_SECONDS)

    def settle(self, path: DavPath) -> None:
        """See `Reserves`."""
        side = self._store.find(path, self._user)
        if side is None or not side.placeholder:
            return
        if side.unseen:
            self._store.remove(side)  # locked, and neither read nor written: whatever was there, is there
            return
        try:
            made = self._driver.put(path, _body(b""), if_absent=True, times=side.times)
            # davfs2 holds the tag that a HEAD gave it after its LOCK, for as long as it has not sent the content
            self._store.settled(side, made.item.etag)
        except (AlreadyExists, PreconditionFailed, ParentNotFound):
            log.info("a reserved name was taken, or its folder is gone; nothing to settle")
        except BridgeError as error:
            log.warning("a reserved name could not be settled: %s", error)
            self._store.postpone(side, PLACEHOLDER_SECONDS)
            return
        self._store.remove(side)

    def _require_folder(self, path: DavPath) -> None:
        try:
            if not self._driver.stat(path).is_folder:
                raise ParentNotFound(f"{path} is not a folder")
        except NotFound as error:
            raise ParentNotFound(f"{path} does not exist") from error

    # -- writing ------------------------------------------------------------------------------------------------

    def require_account(self, path: DavPath) -> None:
        if isinstance(self._driver, NeedsAccount) and side_user(path, self._user) is None:
            self._driver.require_account(path)

    def put(
        self,
        path: DavPath,
        body: Body,
        *,
        if_match: str | None = None,
        if_absent: bool = False,
        times: Times | None = None,
    ) -> Written:
        side = self._store.find(path, self._user)
        owner = side_user(path, self._user)
        if side is not None and side.unseen:
            # the PUT itself tells what is there
            written = self._driver.put(path, body, if_match=if_match, if_absent=if_absent, times=times)
            self._store.remove(side)
            return written
        if side is not None:
            if if_absent:
                raise PreconditionFailed(f"{path} exists")
            _check_match(side, if_match)
        elif owner is not None and if_match is not None:
            raise PreconditionFailed(f"{path} does not exist")
        if owner is not None:
            return self._put_side(path, owner, body, times, created=side is None)
        if side is None:
            if if_match not in (None, "*"):
                if_match = self._store.tag_of(if_match)
            return self._driver.put(path, body, if_match=if_match, if_absent=if_absent, times=times)
        # the name was free when it was taken: whoever has it at Microsoft now came in between
        self._store.postpone(side, FILLING_SECONDS)
        try:
            written = self._fill(path, body, times or side.times)
        except BaseException:
            self._store.postpone(side, PLACEHOLDER_SECONDS)
            raise
        self._store.remove(side)
        return Written(written.item, created=False)

    def _fill(self, path: DavPath, body: Body, times: Times | None) -> Written:
        """Write the content of a reserved name; an empty file that is there may be what `settle` has just made."""
        try:
            return self._driver.put(path, body, if_absent=True, times=times)
        except PreconditionFailed:
            item = self._driver.stat(path)
            if item.is_folder or item.size or not body.is_repeatable:
                raise
            return self._driver.put(path, body, if_match=item.etag, times=times)

    def _put_side(self, path: DavPath, owner: str, body: Body, times: Times | None, *, created: bool) -> Written:
        if body.length > LARGEST:
            raise TooLarge(f"a file of that name may have {LARGEST} bytes")
        self._require_folder(path.parent)
        data = body.read(body.length)
        return Written(self._store.put(path, owner, data, times=times).item, created)

    def make_folder(self, path: DavPath) -> Item:
        if self._find(path):
            raise AlreadyExists(f"{path} exists")
        return self._driver.make_folder(path)

    def set_times(self, path: DavPath, times: Times) -> Item:
        side = self._find(path)
        if side is None:
            return self._driver.set_times(path, times)
        self._store.set_times(side, times)
        return self.stat(path)

    def delete(self, path: DavPath, *, if_match: str | None = None) -> None:
        side = self._find(path)
        if side is not None:
            _check_match(side, if_match)
            self._store.remove(side)
            return
        self._driver.delete(path, if_match=if_match)
        self._store.forget_tree(path)

    def move(self, source: DavPath, target: DavPath, *, replace: bool) -> Written:
        side = self._find(source)
        if side is not None:
            return self._move_side(side, target, replace=replace)
        hidden = self._in_the_way(target, replace=replace) if source.folded != target.folded else None
        written = self._driver.move(source, target, replace=replace)
        if hidden is not None:
            self._store.remove(hidden)
        self._store.move_tree(source, target)
        return Written(written.item, written.created and hidden is None)

    def copy(self, source: DavPath, target: DavPath, *, replace: bool, deep: bool = True) -> Written:
        side = self._find(source)
        if side is not None:
            return self._store_at(side, target, replace=replace)
        hidden = self._in_the_way(target, replace=replace)
        written = self._driver.copy(source, target, replace=replace, deep=deep)
        if hidden is not None:
            self._store.remove(hidden)
        self._store.forget_tree(target)
        return Written(written.item, written.created and hidden is None)

    def _move_side(self, side: SideFile, target: DavPath, *, replace: bool) -> Written:
        written = self._store_at(side, target, replace=replace)
        if side.path.folded != target.folded:
            self._store.remove(side)
        return written

    def _store_at(self, side: SideFile, target: DavPath, *, replace: bool) -> Written:
        """Give the target a side file's content: as a side file, or, under a real name, as a file in the drive."""
        there = self._exists(target) if side.path.folded != target.folded else False
        if there and not replace:
            raise AlreadyExists(f"{target} exists")
        written = self.put(target, _body(side.data), times=side.times)
        return Written(written.item, not there)

    def _exists(self, path: DavPath) -> bool:
        try:
            self.stat(path)
        except NotFound:
            return False
        return True

    def _in_the_way(self, target: DavPath, *, replace: bool) -> SideFile | None:
        """A side file or placeholder at a target: to be removed after success, since what fails must change nothing."""
        side = self._find(target)
        if side is not None and not replace:
            raise AlreadyExists(f"{target} exists")
        return side


def _marked(folder: Item, mark: str) -> Item:
    """With a stamp that also tells of the side files below."""
    return replace(folder, stamp=f"{folder.stamp}-{mark}") if mark else folder


def _all_marked(children: Iterable[Item], marks: Mapping[str, str]) -> Iterator[Item]:
    for child in children:
        mark = marks.get(fold(child.name)) if child.stamp else None
        yield _marked(child, mark) if mark else child


def _merged(children: Iterable[Item], sides: list[SideFile]) -> Iterator[Item]:
    """The drive's children and ours; where both have a name, ours is what the user's client put there."""
    ours = {fold(side.path.name): side.item for side in sides}
    yield from (child for child in children if fold(child.name) not in ours)
    yield from ours.values()


def _check_match(side: SideFile, if_match: str | None) -> None:
    if if_match not in (None, "*", side.version):
        raise PreconditionFailed(f"{side.path} has changed")


def _body(data: bytes) -> Body:
    return Body(io.BytesIO(data), len(data))


class BytesDownload:
    """A download of bytes that are at hand."""

    def __init__(self, item: Item, data: bytes, span: Span | None) -> None:
        start = span.start if span else 0
        if span and start >= len(data):
            raise RangeNotSatisfiable("the range starts behind the end", len(data))
        end = len(data) if span is None or span.end is None else min(span.end, len(data))
        self.item, self.start, self.length, self.total = item, start, end - start, len(data)
        self._source = io.BytesIO(data[start:end])

    def read(self, size: int) -> bytes:
        return self._source.read(size)

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> BytesDownload:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
