"""The levels above the mounts, as a read-only tree: `/` lists the mounts that a user may see.

Explorer asks every level of a path up to the root before it mounts (clients §3.1), so each has to be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from davbridge.body import Body
from davbridge.dav.message import DriverSource, Mount, Right
from davbridge.drivers.protocol import Download, Driver, Item, Kind, Quota, Span, Times, Written
from davbridge.errors import Forbidden, NotFound, Unsupported
from davbridge.paths import DavPath
from davbridge.redact import Secret


class Everybody(Mapping[str, Right]):
    """Every user may read."""

    def __getitem__(self, user: str) -> Right:
        return "read"

    def get(self, key: object, default: object = None) -> Right:
        """Read, whoever asks."""
        return "read"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class MountLists(DriverSource):
    """Gives each user the tree of their own mounts."""

    def __init__(self, mounts: Sequence[Mount], started: datetime) -> None:
        self._mounts = mounts
        self._started = started.astimezone(UTC).replace(microsecond=0)

    def for_user(self, user: str) -> Driver:
        paths = [DavPath.parse(mount.path) for mount in self._mounts if mount.access.get(user)]
        return MountList(paths, self._started)


class MountList(Driver):
    """Folders only; nothing can be written."""

    def __init__(self, paths: Sequence[DavPath], started: datetime) -> None:
        self._paths = paths
        self._started = started

    def stat(self, path: DavPath) -> Item:
        if not path.is_root and not any(mount.is_within(path) for mount in self._paths):
            raise NotFound(f"{path} does not exist")
        return Item(f"list:{path}", path.name, Kind.FOLDER, 0, "", self._started, self._started)

    def knows(self, path: DavPath) -> bool:
        return True

    def children(self, path: DavPath) -> tuple[Item, Iterable[Item]]:
        item = self.stat(path)
        depth = len(path.names)
        names = sorted(
            {mount.names[depth] for mount in self._paths if mount.is_within(path) and len(mount.names) > depth}
        )
        return item, [self.stat(path.child(name)) for name in names]

    def open(self, path: DavPath, span: Span | None = None, *, if_match: str | None = None) -> Download:
        self.stat(path)
        raise Unsupported("this is a folder")

    def redirect_url(self, path: DavPath) -> Secret:
        self.stat(path)
        raise Unsupported("this is a folder")

    def put(
        self,
        path: DavPath,
        body: Body,
        *,
        if_match: str | None = None,
        if_absent: bool = False,
        times: Times | None = None,
    ) -> Written:
        raise _read_only()

    def make_folder(self, path: DavPath) -> Item:
        raise _read_only()

    def move(self, source: DavPath, target: DavPath, *, replace: bool) -> Written:
        raise _read_only()

    def copy(self, source: DavPath, target: DavPath, *, replace: bool, deep: bool = True) -> Written:
        raise _read_only()

    def delete(self, path: DavPath, *, if_match: str | None = None) -> None:
        raise _read_only()

    def set_times(self, path: DavPath, times: Times) -> Item:
        raise _read_only()

    def quota(self) -> Quota | None:
        return None


def _read_only() -> Forbidden:
    return Forbidden("nothing can be written above the mounts")
