"""A file's content at Microsoft: its address, the response to a request for it, and whether the two fit.

The URL is kept for some minutes, so that the next range of a file costs no Graph call. `downloading` decides what a
response that does not fit means.
"""

from __future__ import annotations

from davbridge.drivers.items import etag_of
from davbridge.drivers.protocol import Span
from davbridge.drivers.tree import Tree
from davbridge.errors import DownloadBroken, Forbidden, NotFound, Unsupported
from davbridge.graph.downloads import ContentStream, UrlExpired, open_download
from davbridge.graph.model import DriveItem
from davbridge.graph.readahead import ParallelStream
from davbridge.mirror.keys import content_key
from davbridge.mirror.versions import version_of
from davbridge.paths import DavPath
from davbridge.redact import Secret


def url_of(tree: Tree, path: DavPath, item: DriveItem) -> tuple[DriveItem, Secret]:
    """The address of an item's content, and the item as it was told with it. Raises: NotFound, Unsupported."""
    known = tree.urls.get(content_key(item))
    if known and (item.remote or etag_of(known[0]) == etag_of(item)):
        return known
    return fresh_url(tree, path, item)


def fresh_url(tree: Tree, path: DavPath, item: DriveItem) -> tuple[DriveItem, Secret]:
    """As `url_of`, from Graph: one call."""
    tree.urls.drop(content_key(item))
    try:
        content = tree.refresh(item)
    except NotFound:
        tree.cache.forget(item)
        content = tree.refresh(tree.find(path, fresh=True))
    if content.download_url is None:
        raise Unsupported(f"{path} has no content that could be downloaded")
    return content, content.download_url


def open_content(
    tree: Tree, item: DriveItem, content: DriveItem, url: Secret, span: Span | None, *, fresh: bool
) -> ContentStream | None:
    """Ask for a range. None: the address has died. `fresh`: it has come from Graph just now.

    Raises: as `open_download`.
    """

    def reopen() -> Secret:
        now = tree.refresh(item)
        if etag_of(now) != etag_of(content) or now.download_url is None:
            raise DownloadBroken("the file changed while it was downloaded")
        return now.download_url

    start, end = (span.start, span.end) if span else (0, None)
    try:
        return open_download(tree.graph, url, start=start, end=end, reopen=reopen)
    except UrlExpired as expired:
        if fresh and isinstance(expired.cause, Forbidden):
            raise expired.cause from None  # a policy, or malware (§2.7): no other address will do
        return None


def fits(stream: ContentStream, content: DriveItem) -> bool:
    """False when the answer is known to be another version than `content` describes."""
    if stream.total != content.size:
        return False
    told, known = stream.etag.strip('"'), content.etag.strip('"')
    guid, comma, version = told.partition(",")
    known_guid, known_comma, known_version = known.partition(",")
    if comma and known_comma:
        return guid != known_guid or version == known_version
    # classic personal drives count inside the tag (§2.4); tags of another form tell nothing
    comparable = version_of(told) is not None and version_of(known) is not None
    return told == known or not comparable


def read_ahead(tree: Tree, stream: ContentStream) -> ContentStream | ParallelStream:
    """The same bytes, over several connections where that is faster."""
    return tree.graph.ahead.stream(stream) if tree.graph.ahead else stream
