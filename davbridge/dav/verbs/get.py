"""GET and HEAD (RFC 9110 §9.3.1, RFC 4918 §9.4): proxied, or a redirect to Microsoft's own address.

HEAD is answered from metadata and never redirects. A download that breaks ends in a broken connection: a short body
that ends cleanly would be a file with bytes missing (law 2).
"""

from __future__ import annotations

from collections.abc import Iterator

from davbridge.dav import browse
from davbridge.dav.conditions import check_if, check_preconditions
from davbridge.dav.dates import http_date
from davbridge.dav.disposition import content_headers
from davbridge.dav.message import Headers, Request, Response
from davbridge.dav.ranges import wanted_span
from davbridge.dav.redirects import redirects
from davbridge.dav.refusal import Refusal
from davbridge.drivers.protocol import Download, Item, Span
from davbridge.errors import PreconditionFailed, Unsupported

BLOCK = 256 * 1024


def handle(request: Request) -> Response:
    """200, 206, 302, 304, 416; a page for a folder."""
    item = request.driver.stat(request.path)
    check_if(request)
    if item.is_folder:
        return _folder(request)
    try:
        check_preconditions(request, lambda: item)
    except Refusal as refusal:
        if refusal.status != 304:
            raise
        return Response(304, _validators(item))
    if request.method == "HEAD":
        # Range has a meaning for GET only (RFC 9110 §14.2)
        return Response(200, [*_headers(item), ("Content-Length", str(item.size))])
    span = wanted_span(request, item)
    if redirects(request, item) and (answer := _redirect(request, item)):
        return answer
    return _proxied(request, item, span)


def _folder(request: Request) -> Response:
    if request.method == "HEAD":
        # clients probe with HEAD whether a collection is there; its listing is not made for that
        return Response(200, [*browse.page_headers(), ("Content-Length", "0")])
    _, children = request.driver.children(request.path)
    return browse.page(request, children)


def _proxied(request: Request, item: Item, span: Span | None) -> Response:
    must_match = request.header("If-Match") not in ("", "*")
    only_if = span is not None and bool(request.header("If-Range"))
    try:
        download = request.driver.open(request.path, span, if_match=item.etag if must_match or only_if else None)
    except PreconditionFailed:
        if must_match:
            raise
        # changed at Microsoft since we last looked: If-Range does not hold, and the whole is sent (RFC 9110 §13.1.5)
        span = None
        download = request.driver.open(request.path)
    headers = _headers(download.item)
    headers.append(("Content-Length", str(download.length)))
    status = 200
    if span is not None:
        end = download.start + download.length - 1
        headers.append(("Content-Range", f"bytes {download.start}-{end}/{download.total}"))
        status = 206
    return Response(status, headers, DownloadBody(download))


def _redirect(request: Request, item: Item) -> Response | None:
    try:
        url = request.driver.redirect_url(request.path)
    except Unsupported:
        return None  # a side file, or a name that waits for its content: Microsoft has no address of it
    headers = [*_validators(item), ("Location", url.reveal()), ("Cache-Control", "no-store"), ("Vary", "User-Agent")]
    return Response(302, headers)


def _headers(item: Item) -> Headers:
    return [
        *content_headers(item),
        *_validators(item),
        ("Accept-Ranges", "bytes"),
        ("Cache-Control", "private, no-cache"),
    ]


def _validators(item: Item) -> Headers:
    tag = [("ETag", f'"{item.etag}"')] if item.etag else []
    return [*tag, ("Last-Modified", http_date(item.modified))]


class DownloadBody:
    """The blocks of a download. The server calls `close` however the response ends, also when the client is gone."""

    def __init__(self, download: Download) -> None:
        self._download = download
        # read before the status is sent: what fails at once is an error status, not a broken connection
        try:
            self._first = download.read(BLOCK)
        except BaseException:
            download.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        try:
            block, self._first = self._first, b""
            while block:
                yield block
                block = self._download.read(BLOCK)
        finally:
            self.close()

    def close(self) -> None:
        self._download.close()
