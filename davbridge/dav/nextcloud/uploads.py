"""A user's uploads in chunks as a tree: a folder for each upload, a file for each chunk.

So MKCOL, PUT, PROPFIND and DELETE are the ordinary ones: their listing, with sizes, is how a client finds what it still
has to send. What has been sent cannot be read back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from davbridge.body import Body
from davbridge.dav.message import Mount
from davbridge.drivers.protocol import Download, Driver, Item, Kind, Quota, Span, Times, Written
from davbridge.errors import AlreadyExists, Forbidden, NotFound, PreconditionFailed, Unsupported
from davbridge.paths import DavPath
from davbridge.redact import Secret
from davbridge.store.chunkfiles import Chunk
from davbridge.store.chunks import UserChunks

_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)


class UploadTree(Driver):
    """`chunks` are the user's; `mounts` are where an upload may lead to."""

    def __init__(self, chunks: UserChunks, mounts: Sequence[Mount]) -> None:
        self.chunks = chunks
        self.mounts = mounts

    def stat(self, path: DavPath) -> Item:
        match path.names:
            case ():
                return _folder("", _ALWAYS)
            case (upload,):
                return _folder(upload, self.chunks.changed(upload))
            case (upload, name):
                for chunk in self.chunks.chunks(upload):
                    if chunk.name == name:
                        return _file(upload, chunk)
        raise NotFound(f"{path} does not exist")

    def knows(self, path: DavPath) -> bool:
        return True

    def children(self, path: DavPath) -> tuple[Item, Iterable[Item]]:
        item = self.stat(path)
        match path.names:
            case ():
                return item, [self.stat(path.child(name)) for name in self.chunks.uploads()]
            case (upload,):
                return item, [_file(upload, chunk) for chunk in self.chunks.chunks(upload)]
        raise Unsupported("this is a chunk")

    def open(self, path: DavPath, span: Span | None = None, *, if_match: str | None = None) -> Download:
        raise _not_here()

    def redirect_url(self, path: DavPath) -> Secret:
        raise _not_here()

    def put(
        self,
        path: DavPath,
        body: Body,
        *,
        if_match: str | None = None,
        if_absent: bool = False,
        times: Times | None = None,
    ) -> Written:
        if len(path.names) != 2:
            raise Unsupported("chunks lie in the folder of their upload")
        upload, name = path.names
        if if_absent or if_match is not None:
            self._check(path, if_match)
        chunk, created = self.chunks.write(upload, name, body)
        return Written(_file(upload, chunk), created)

    def _check(self, path: DavPath, if_match: str | None) -> None:
        try:
            tag = self.stat(path).etag
        except NotFound:
            tag = None
        if tag is None if if_match == "*" else tag != if_match:
            raise PreconditionFailed(f"{path} is not the one that was meant")

    def make_folder(self, path: DavPath) -> Item:
        if path.is_root:
            raise AlreadyExists("the uploads are there")
        if len(path.names) > 1:
            raise Forbidden("an upload has no folders")
        self.chunks.make(path.name)
        return self.stat(path)

    def delete(self, path: DavPath, *, if_match: str | None = None) -> None:
        if if_match is not None:
            self._check(path, if_match)
        match path.names:
            case (upload,):
                self.chunks.remove(upload)
            case (upload, name):
                self.chunks.remove_chunk(upload, name)
            case _:
                raise NotFound(f"{path} does not exist")

    def move(self, source: DavPath, target: DavPath, *, replace: bool) -> Written:
        raise _not_here()

    def copy(self, source: DavPath, target: DavPath, *, replace: bool, deep: bool = True) -> Written:
        raise _not_here()

    def set_times(self, path: DavPath, times: Times) -> Item:
        raise _not_here()

    def quota(self) -> Quota | None:
        used = self.chunks.used
        return Quota(used, max(0, self.chunks.limit - used))


def _folder(name: str, changed: datetime) -> Item:
    return Item(f"upload:{name}", name, Kind.FOLDER, 0, "", changed, changed)


def _file(upload: str, chunk: Chunk) -> Item:
    kind = "application/octet-stream"
    return Item(
        f"upload:{upload}/{chunk.name}",
        chunk.name,
        Kind.FILE,
        chunk.size,
        chunk.tag,
        chunk.modified,
        chunk.modified,
        kind,
    )


def _not_here() -> Forbidden:
    return Forbidden("chunks can be added, listed and deleted only")
