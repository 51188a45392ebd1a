"""Downloads of one version: from the pre-authenticated URL, with metadata that fits the bytes.

Why here: a URL that is kept serves whatever is current (`fetching`), so the answer's own ETag and length are held
against what we believe, and the item is read again when they differ: it is another version by now, or one of those
whose answers never fit (Office rewrites, facts/graph.md §12.1).
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace

from davbridge import deadline
from davbridge.cache import BLOCK, Filler
from davbridge.drivers.contents import KeptDownload, version_key, whole_blocks
from davbridge.drivers.fetching import fits, fresh_url, open_content, read_ahead, url_of
from davbridge.drivers.items import etag_of, to_item
from davbridge.drivers.protocol import Item, Span
from davbridge.drivers.sequence import SequentialDownload, Version, is_short
from davbridge.drivers.tree import Tree
from davbridge.errors import (
    BadUpstream,
    Busy,
    DownloadBroken,
    PreconditionFailed,
    RangeNotSatisfiable,
    Unsupported,
)
from davbridge.graph.downloads import ContentStream
from davbridge.graph.model import DriveItem
from davbridge.graph.readahead import ParallelStream
from davbridge.mirror.keys import content_key
from davbridge.paths import DavPath
from davbridge.redact import Secret

_ATTEMPTS = 3


class GraphDownload:
    """`protocol.Download` over a stream of the `graph` layer, which resumes and counts."""

    def __init__(self, item: Item, stream: ContentStream | ParallelStream) -> None:
        self.item = item
        self.start = stream.start
        self.length = stream.length
        self.total = stream.total
        self._stream = stream

    def read(self, size: int = 1 << 16) -> bytes:
        """As the protocol says."""
        return self._stream.read(size)

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> GraphDownload:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


Opened = GraphDownload | KeptDownload | SequentialDownload


def open_file(
    tree: Tree, path: DavPath, span: Span | None, if_match: str | None, *, may_be_kept: bool = False
) -> Opened:
    """`may_be_kept`: the content cache will do, for the version that the mirror believes in.

    Raises: as `Driver.open`; Busy when the file changes faster than it can be opened.
    """
    item = _file(tree, path)
    if may_be_kept and (ready := _ready(tree, path, item, span, if_match)) is not None:
        return ready
    asked = whole_blocks(span) if tree.contents else _widened(tree, item, span)
    content, url = url_of(tree, path, item)
    is_stale = False
    for attempt in range(_ATTEMPTS):
        if not item.remote:
            item = content
        check_match(item, if_match, path)
        if span and span.start >= content.size:
            raise RangeNotSatisfiable(f"{path} has only {content.size} bytes", content.size)
        with ExitStack() as stack:
            stream = open_content(tree, item, content, url, asked, fresh=attempt > 0)
            if stream is not None:
                stack.callback(stream.close)
                is_stale = not fits(stream, content)
            if stream is not None and is_stale:
                before = content
                content, url = fresh_url(tree, path, item)
                # the item is what it was before the stream was opened: then that is how its stream looks
                is_stale = content.etag != before.etag
            elif stream is None:
                content, url = fresh_url(tree, path, item)
            if stream is not None and not is_stale:
                download = _download(tree, path, item, content, stream, span)
                stack.pop_all()
                return download
    if is_stale:
        raise Busy(f"{path} is being changed", 1.0)
    raise BadUpstream("Microsoft's storage refuses its own download addresses")


def file_url(tree: Tree, path: DavPath) -> Secret:
    """A URL to redirect a client to. Raises: NotFound, Unsupported."""
    return url_of(tree, path, _file(tree, path))[1]


def check_match(item: DriveItem, if_match: str | None, path: DavPath) -> None:
    """Compare with the entity tag that a client named.

    Raises: PreconditionFailed.
    """
    if if_match is not None and if_match not in ("*", etag_of(item)):
        raise PreconditionFailed(f"{path} has changed")


def _file(tree: Tree, path: DavPath) -> DriveItem:
    item = tree.find(path)
    if item.kind != "file":
        raise Unsupported(f"{path} is a folder and has no content")
    return item


def _download(
    tree: Tree, path: DavPath, item: DriveItem, content: DriveItem, stream: ContentStream, span: Span | None
) -> Opened:
    if span and span.start >= stream.total:
        raise RangeNotSatisfiable(f"{path} has only {stream.total} bytes", stream.total)
    shown = item
    if stream.total != item.size:
        # the size that listings tell is wrong for some files for good (§2.7); show the one that was streamed
        shown = replace(item, size=stream.total)
        tree.cache.learn(shown, tree.cache.now(), certain=True)
    is_certain = stream.etag.strip('"') == content.etag.strip('"')
    if not fits(stream, content):
        # it was read again and still differs: so it is, and needs no further reading
        kept = replace(content, size=stream.total, etag=stream.etag or content.etag)
        tree.urls.keep(content_key(item), kept)
    if tree.contents is None and span and span.end is not None and stream.start + stream.length > span.end:
        return SequentialDownload(to_item(shown), span, stream, tree.sequences, _version(item))
    bytes_ = read_ahead(tree, stream)
    if tree.contents is None:
        return GraphDownload(to_item(shown), bytes_)
    version = version_key(content) if is_certain else None
    source = _Version(tree, path, item, version, content.etag, stream.total, span)
    return KeptDownload(to_item(shown), span, stream.total, source).take(bytes_)


def _version(item: DriveItem) -> Version:
    return content_key(item), etag_of(item)


def _widened(tree: Tree, item: DriveItem, span: Span | None) -> Span | None:
    # a shortcut's tag does not tell of its target's content
    return span if item.remote else tree.sequences.widened(_version(item), span)


def _ready(tree: Tree, path: DavPath, item: DriveItem, span: Span | None, if_match: str | None) -> Opened | None:
    """The download out of what has been fetched already: for somebody else, or after the range before this one."""
    if tree.contents is not None:
        return _kept(tree, path, item, span, if_match)
    if span is None or item.remote or not is_short(span):
        return None
    stream = tree.sequences.take(_version(item), span.start)
    if stream is None:
        return None
    download = SequentialDownload(
        to_item(replace(item, size=stream.total)), span, stream, tree.sequences, _version(item)
    )
    try:
        check_match(item, if_match, path)
    except BaseException:
        download.close()
        raise
    if stream.position + download.length > stream.start + stream.length or not download.has_begun():
        download.close()
        return None
    tree.sequences.widened(_version(item), span)
    return download


def _kept(tree: Tree, path: DavPath, item: DriveItem, span: Span | None, if_match: str | None) -> KeptDownload | None:
    """The download from the content cache, if it has the first block of it."""
    version = version_key(item)
    entry = tree.contents.entry(version) if tree.contents and version else None
    if tree.contents is None or version is None or entry is None:
        return None
    if entry.etag != item.etag:
        # something of the item has changed, and the mirror may have taken the content's tag over unseen
        item = fresh_url(tree, path, item)[0]
        if version_key(item) != version:
            return None
        tree.contents.confirm(version, item.etag)
    check_match(item, if_match, path)
    if span and span.start >= entry.total:
        raise RangeNotSatisfiable(f"{path} has only {entry.total} bytes", entry.total)
    source = _Version(tree, path, item, version, item.etag, entry.total, span)
    download = KeptDownload(to_item(replace(item, size=entry.total)), span, entry.total, source)
    return download if download.find() else None


@dataclass(frozen=True)
class _Version:
    """`contents.Source` of one version. `version` None: it cannot be told from another, and is not kept."""

    tree: Tree
    path: DavPath
    item: DriveItem
    version: str | None
    etag: str
    total: int
    span: Span | None

    def block(self, number: int) -> bytes | None:
        """As the protocol says."""
        deadline.current(self.tree.clock).extend()
        return self.tree.contents.read(self.version, number) if self.tree.contents and self.version else None

    def rest(self, position: int) -> ContentStream | ParallelStream:
        """As the protocol says."""
        asked = replace(whole_blocks(self.span) or Span(0), start=position)
        content, url = url_of(self.tree, self.path, self.item)
        for attempt in range(_ATTEMPTS):
            stream = open_content(self.tree, self.item, content, url, asked, fresh=attempt > 0)
            if stream is not None:
                same = version_key(content) == self.version and stream.etag.strip('"') == content.etag.strip('"')
                if same and stream.total == self.total:
                    return read_ahead(self.tree, stream)
                stream.close()
            content, url = fresh_url(self.tree, self.path, self.item)
        raise DownloadBroken("the file changed while it was downloaded")

    def filler(self, position: int) -> Filler | None:
        """As the protocol says."""
        if self.tree.contents is None or self.version is None or position % BLOCK:
            return None
        return Filler(self.tree.contents, position, self.total, self.version, self.etag)
