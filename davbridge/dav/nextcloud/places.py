"""Which provider answers below `/remote.php`: the mounts once more, under a user's name, and that user's uploads.

Clients make the one address from the other: `…/dav/files/USER` becomes `…/dav/uploads/USER` (rclone, Nextcloud's own).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from davbridge.dav.message import Mount, Shared
from davbridge.dav.nextcloud import assemble, patch
from davbridge.dav.nextcloud.uploads import UploadTree
from davbridge.dav.provider import VERBS as USUAL
from davbridge.dav.provider import PolicyProvider
from davbridge.dav.rootlist import Everybody, MountLists
from davbridge.drivers.protocol import Driver
from davbridge.errors import BadPath
from davbridge.paths import DavPath
from davbridge.store.chunks import ChunkStore

TOP = "remote.php"
_FILES = DavPath((TOP, "dav", "files"))
_UPLOADS = DavPath((TOP, "dav", "uploads"))
_NAME = "/remote.php/dav/uploads"
"""Under which the uploads' locks would be kept, if there were any: no policy's name begins so."""
_FILE_VERBS = {**USUAL, "PATCH": patch.handle}


@dataclass(frozen=True)
class _Uploads:
    """The driver source of the uploads; `mounts` are where they may lead to."""

    chunks: ChunkStore
    mounts: Sequence[Mount]

    def for_user(self, user: str) -> Driver:
        return UploadTree(self.chunks.of(user), self.mounts)


class _OneUser:
    """The providers of one user's places, and the one of all levels above them."""

    def __init__(self, user: str, mounts: Sequence[Mount], shared: Shared, chunks: ChunkStore) -> None:
        name = quote(user, safe="")
        files = [replace(one, path=f"{_FILES}/{name}{one.path}") for one in mounts if one.access.get(user)]
        writes = any(one.access.get(user) == "write" for one in files)
        access: Mapping[str, str] = {user: "write" if writes else "read"} if files else {}
        source = _Uploads(chunks, [*files, *mounts])
        uploads = Mount(_NAME, f"{_UPLOADS}/{name}", source, access)  # type: ignore[arg-type] # both are rights
        levels = Mount("", "", MountLists([*files, uploads], shared.clock.now()), Everybody())
        self._providers = [(DavPath.parse(one.path), PolicyProvider(one, shared, _FILE_VERBS)) for one in files]
        self._providers.append((DavPath.parse(uploads.path), PolicyProvider(uploads, shared, assemble.VERBS)))
        self._levels = PolicyProvider(levels, shared)

    def provider(self, path: DavPath) -> PolicyProvider:
        return next((one for place, one in self._providers if path.is_within(place)), self._levels)


class Places:
    """The providers of all users; each user's are made when they are first asked for."""

    def __init__(self, mounts: Sequence[Mount], shared: Shared, chunks: ChunkStore) -> None:
        self._mounts = mounts
        self._shared = shared
        self._chunks = chunks
        self._users: dict[str, _OneUser] = {}
        self._closed = PolicyProvider(Mount("", "", MountLists([], shared.clock.now()), {}), shared)

    def provider(self, path: DavPath, user: str) -> PolicyProvider | None:
        """Who answers a request of `user` for `path`; None: it is not ours."""
        if not path.names or path.names[0].lower() != TOP:
            return None
        name, depth = _as_name(user), len(_FILES.names)
        is_somebodys = len(path.names) > depth and (path.is_within(_FILES) or path.is_within(_UPLOADS))
        if is_somebodys and path.names[depth] != name:
            return self._closed  # which answers OPTIONS all the same
        if user not in self._users:
            self._users[user] = _OneUser(user if name else "", self._mounts, self._shared, self._chunks)
        return self._users[user].provider(path)


def _as_name(user: str) -> str:
    """The user's name as one of a path; empty when it cannot be one."""
    try:
        return DavPath.parse(quote(user, safe="")).name
    except BadPath:
        return ""
