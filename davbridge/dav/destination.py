"""The Destination header, parsed once and leniently (RFC 4918 §10.3; facts: clients §2 rule 4).

The raw string is split first and decoded once after: decoding first cuts names at `;`, `?` and `#`. A wrong 502 here
is the most frequent complaint about WebDAV servers, so every spelling of our own address is taken: KIO sends
webdav:// with user and password, a proxy that ends TLS leaves https:// in it.
"""

from __future__ import annotations

import re

from davbridge.dav.message import Request, as_sent
from davbridge.dav.refusal import Refusal
from davbridge.errors import BadPath
from davbridge.paths import DavPath

_SCHEMES = ("http", "https", "webdav", "webdavs", "dav", "davs")
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)(/.*)?$", re.DOTALL)
_PORT = re.compile(r":\d*$")


def parse_destination(request: Request) -> DavPath:
    """The target path below the request's own mount.

    Raises:
        Refusal: as `destination_path`; 502 for another mount: items do not move between drives (RFC 4918 §9.8.5,
            §9.9.4).
    """
    target = request.mount.below(destination_path(request))
    if target is None:
        raise Refusal(502, "the Destination is outside this mount")
    return request.spelled(target)


def destination_path(request: Request) -> DavPath:
    """The target path from the server's root on, as sent.

    Raises:
        Refusal: 400 when it is missing or malformed; 502 for another server.
    """
    raw = request.header("Destination")
    if not raw:
        raise Refusal(400, "the Destination header is missing")
    if found := _ABSOLUTE.match(raw):
        scheme, authority, path = found.groups()
        if scheme.lower() not in _SCHEMES or not _is_ours(request, authority):
            raise Refusal(502, "the Destination is on another server")
        raw = path or "/"
    if not raw.startswith("/"):
        raise Refusal(400, "the Destination must be a URL or an absolute path")
    if "?" in raw or "#" in raw:
        raise Refusal(400, "the Destination may have no query and no fragment")
    try:
        return DavPath.parse(as_sent(raw))
    except (BadPath, UnicodeError) as error:
        raise Refusal(400, f"the Destination is malformed: {error}") from None


def _is_ours(request: Request, authority: str) -> bool:
    name = _host(authority)
    # the edge has put a trusted proxy's X-Forwarded-Host into Host already
    return name == _host(request.header("Host")) or name in request.shared.hosts


def _host(authority: str) -> str:
    """The host name alone, lower case: ports are often lost or added on the way."""
    return _PORT.sub("", authority.rpartition("@")[2]).lower().rstrip(".")
