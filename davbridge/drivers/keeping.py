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
from davbridge.graph.integrity import may_be_rewritten
from davbridge.graph.model import DriveItem


@dataclass
class Upload:
    """A body whose bytes are copied while it is read."""

    size: int
    filler: Filler | None = None

    def stored(self, item: DriveItem | None, tag: str) -> None:
        """It has become an item's content; `tag` is the DAV tag that the upload itself was answered with."""
        if self.filler is None or item is None or item.size != self.size or etag_of(item) != tag:
            return
        if (version := version_key(item)) is not None:
            self.filler.keep(version, item.etag)


@contextmanager
def copied(cache: ContentCache | None, name: str, body: Body) -> Iterator[Upload]:
    """For the block, copy `body` as it is read, where it can be kept: small enough, and nothing of it read yet.

    The body stays what it is: one put round it could not be read again where this one can.
    """
    is_new = 0 < body.length == body.remaining
    if cache is None or not is_new or may_be_rewritten(name) or not cache.promise(body.length):
        yield Upload(body.length)
        return
    filler = Filler(cache, 0, body.length)
    body.copy_to(filler)
    try:
        yield Upload(body.length, filler)
    finally:
        body.copy_to(None)
        filler.close()
        cache.give_back(body.length)
