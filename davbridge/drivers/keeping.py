"""What is uploaded through the bridge goes into the content cache, too: it is often read at once.

The bytes are kept under the version that Microsoft's answer to the upload told, if its size is theirs. Kinds of files
that SharePoint rewrites (facts: Graph §12.1) are left to be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from davbridge.body import Body
from davbridge.cache import ContentCache, Filler
from davbridge.drivers.contents import version_key
from davbridge.drivers.items import etag_of
from davbridge.graph.model import DriveItem

_REWRITTEN = (".doc", ".dot", ".xls", ".xlt", ".ppt", ".pot", ".pps", ".vsd", ".one", ".pdf", ".htm", ".html", ".asp")


@dataclass
class Upload:
    """A body whose bytes are copied while it is read."""

    body: Body
    filler: Filler | None

    def stored(self, item: DriveItem | None, tag: str) -> None:
        """It has become an item's content; `tag` is the DAV tag that the upload itself was answered with."""
        if self.filler is None or item is None or item.size != self.body.length or etag_of(item) != tag:
            return
        if (version := version_key(item)) is not None:
            self.filler.keep(version, item.etag)


@contextmanager
def copied(cache: ContentCache | None, name: str, body: Body) -> Iterator[Upload]:
    """Copy `body` as it is read, where it can be kept: small enough, and read straight from the client."""
    keeps = cache is not None and type(body) is Body and body.is_repeatable and body.length > 0
    extension = name[name.rfind(".") :].lower()
    if cache is None or not keeps or extension.startswith(_REWRITTEN) or not cache.promise(body.length):
        yield Upload(body, None)
        return
    filler = Filler(cache, 0, body.length)
    try:
        yield Upload(Body(_Copy(body, filler), body.length, body.content_type), filler)
    finally:
        filler.close()
        cache.give_back(body.length)


class _Copy:
    def __init__(self, body: Body, filler: Filler) -> None:
        self._body = body
        self._filler = filler

    def read(self, size: int = -1, /) -> bytes:
        """As `Body.read`."""
        data = self._body.read(size)
        self._filler.write(data)
        return data
