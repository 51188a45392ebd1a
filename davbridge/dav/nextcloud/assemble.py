"""MOVE of an upload's `.file`: its chunks become the content of a file, by way of an ordinary PUT (decision 013)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import IO

from davbridge import caller
from davbridge.body import Body
from davbridge.dav.destination import destination_path
from davbridge.dav.message import Request, Response
from davbridge.dav.nextcloud.uploads import UploadTree
from davbridge.dav.provider import Verb
from davbridge.dav.refusal import Refusal
from davbridge.dav.transfer import replaces
from davbridge.dav.verbs import delete, mkcol, options, propfind, put
from davbridge.killpoint import killpoint
from davbridge.store.chunkfiles import Chunk

WHOLE = ".file"
"""The name that stands for all chunks together."""


def handle(request: Request) -> Response:
    """201 for a new file, 204 for a replaced one; then the upload is gone. Else it stays, to be moved again."""
    tree = request.driver
    if not isinstance(tree, UploadTree):
        raise TypeError("only uploads are put together")
    if len(request.path.names) != 2 or request.path.name != WHOLE:
        raise Refusal(403, f"of an upload, only {WHOLE} can be moved: all chunks together")
    target = _target(request, tree)
    upload = request.path.names[0]
    # what follows takes an upload's turns and room at Microsoft
    caller.serve(request.user, target.method)
    with tree.chunks.assembling(upload) as chunks:
        length = _length(request, chunks)
        ready = put.prepare(target, replace=replaces(request))
        with _Joined(chunks) as source:
            written = put.store(target, Body(source, length, again=source.rewind), ready)
        killpoint("upload assembled")
        tree.chunks.forget(upload)
    response = put.response(written, ready)
    response.headers += [("OC-ETag", f'"{written.item.etag}"'), ("OC-FileId", written.item.id)]
    return response


def _target(request: Request, tree: UploadTree) -> Request:
    """The PUT of the destination that this request amounts to: its headers are about the destination.

    Raises:
        Refusal: 400, 502 as for other MOVEs; 403 where the user may not write.
    """
    path = destination_path(request)
    mount, where = next(
        ((mount, found) for mount in tree.mounts if (found := mount.below(path)) is not None), (None, path)
    )
    if mount is None:
        raise Refusal(502, "the Destination is in none of the mounts")
    if mount.access.get(request.user) != "write":
        raise Refusal(403, "this mount is read-only for you")
    if where.is_root:
        raise Refusal(403, "a whole mount cannot be replaced")
    driver = mount.driver.for_user(request.user)
    return replace(request, method="PUT", mount=mount, path=request.spelled(where), prefix=path.url(), driver=driver)


def _length(request: Request, chunks: Sequence[Chunk]) -> int:
    """The bytes of all chunks together.

    Raises:
        Refusal: 400 when they are not the whole: another length was announced, or the names show a gap.
    """
    length = sum(chunk.size for chunk in chunks)
    numbers = [chunk.number for chunk in chunks]
    if len(set(numbers)) < len(numbers):
        raise Refusal(400, "two chunks have one number")
    announced = request.header("OC-Total-Length")
    if announced:
        if not re.fullmatch("[0-9]{1,18}", announced):
            raise Refusal(400, "OC-Total-Length is no number")
        if int(announced) != length:
            raise Refusal(400, f"the chunks have {length} bytes where {announced} were announced")
    elif not chunks or not (_counted(numbers) or _fitting(chunks)):
        raise Refusal(400, "there are chunks missing")
    return length


def _counted(numbers: Sequence[int]) -> bool:
    """Whether they count from 0 or 1 on."""
    return numbers[0] in (0, 1) and list(numbers) == list(range(numbers[0], numbers[0] + len(numbers)))


def _fitting(chunks: Sequence[Chunk]) -> bool:
    """Whether their numbers are the offsets at which they begin."""
    offset = 0
    for chunk in chunks:
        if chunk.number != offset:
            return False
        offset += chunk.size
    return True


class _Joined:
    """The chunks' bytes, one after the other; one file is open at a time."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = chunks
        self._next = 0
        self._file: IO[bytes] | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Raises: OSError."""
        while True:
            if self._file is not None and (data := self._file.read(size)):
                return data
            if self._next == len(self._chunks):
                return b""
            self.close()
            self._file = self._chunks[self._next].path.open("rb")
            self._next += 1

    def rewind(self) -> None:
        self.close()
        self._next = 0

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> _Joined:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


VERBS: Mapping[str, Verb] = {
    "OPTIONS": options.handle,
    "PROPFIND": propfind.handle,
    "MKCOL": mkcol.handle,
    "PUT": put.handle,
    "DELETE": delete.handle,
    "MOVE": handle,
}
"""What can be done with uploads."""
