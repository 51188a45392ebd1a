"""Who is sent to Microsoft's own download address, and who gets the bytes through the bridge (facts: clients §4.1).

A wrong redirect breaks a client, a proxied download only costs bandwidth: whoever is not known to follow is proxied,
and so is whoever was sent there and came back.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from davbridge.dav.message import Request
from davbridge.drivers.protocol import Item
from davbridge.errors import BridgeError

log = logging.getLogger(__name__)

SMALLEST = 8 * 2**20
"""Bytes below which `auto` never redirects: the second connection costs more than it saves."""

_NEVER = re.compile(
    r"MiniRedir|DavClnt|Microsoft Office|MSOffice|OneNote|^WebDAVFS|WebDAVLib|davfs2|neon/|cadaver|WinSCP|Cyberduck|"
    r"Mountain ?Duck|RaiDrive|NetDrive|WebDrive|Lavf|libmpv|mpv|IINA|PotPlayer|nPlayer|RetroArch|DAVx5|Joplin|Zotero|"
    r"KeePass|mirall|LibreOffice|curl|Wget|python|aiohttp|okhttp|Go-http-client",
    re.IGNORECASE,
)
_FOLLOWS = re.compile(r"^gvfs/|KIO/\d|^rclone/|VLC/|^Mozilla/5\.0 .*(?:Gecko/|AppleWebKit/)")
_KEEPS_RANGE = re.compile(r"^gvfs/|^rclone/|VLC/|^Mozilla/5\.0 (?!.*KIO/).*(?:Gecko/|AppleWebKit/)")
_OUR_VALIDATORS = ("If-Match", "If-None-Match", "If-Unmodified-Since", "If-Range")
_AGENT = 100
"""Characters of a client's name that are logged."""


@dataclass(frozen=True)
class Verdict:
    """What is done with a GET, and the rule that says so, in words for the log."""

    redirects: bool
    rule: str


def redirects(request: Request, item: Item) -> bool:
    """Whether this GET of a file is answered by a redirect. The rule that decides is logged."""
    mode = request.mount.download
    if mode == "proxy" or request.method != "GET":
        return False
    verdict = _verdict(request, item, mode)
    level = logging.INFO if item.size >= SMALLEST or verdict.redirects else logging.DEBUG
    how = "redirected" if verdict.redirects else "proxied"
    log.log(level, "download in %s by %r: %s, %s", request.mount.name, request.agent[:_AGENT], how, verdict.rule)
    return verdict.redirects


def _verdict(request: Request, item: Item, mode: str) -> Verdict:
    if request.header("Translate").lower() == "f":
        return Verdict(False, "Translate: f is the mark of a mounted drive")
    if any(request.header(name) for name in _OUR_VALIDATORS):
        return Verdict(False, "the other host does not know our ETags")
    if not _is_private(request):
        return Verdict(False, "the address would be shown to whoever listens to plain HTTP")
    agent = request.agent
    if request.header("Range") and not _KEEPS_RANGE.search(agent):
        return Verdict(False, "the client is not known to ask for the range again")
    if mode == "auto":
        if item.size < SMALLEST:
            return Verdict(False, "the file is small")
        if _NEVER.search(agent):
            return Verdict(False, "the client is known not to follow, or to send its password along")
        if not _FOLLOWS.search(agent):
            return Verdict(False, "the client is not known to follow")
        if request.header("Origin") and "KIO/" not in agent:
            return Verdict(False, "a script would run into CORS there")
    if not _has_followed(request):
        return Verdict(False, "the client came back without following")
    return Verdict(True, "the client follows" if mode == "auto" else "the policy says so")


def _is_private(request: Request) -> bool:
    """Whether nobody but the client sees the answer: over TLS, or without leaving the machine."""
    if request.environ.get("wsgi.url_scheme") == "https":
        return True
    # a reverse proxy without X-Forwarded headers is a neighbour, too, but hands on the name that its client asked for
    named = urlsplit(f"//{request.header('Host')}").hostname or ""
    return _is_loopback(str(request.environ.get("REMOTE_ADDR", ""))) and (named == "localhost" or _is_loopback(named))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _has_followed(request: Request) -> bool:
    """False for a client that asks again at once for what it was sent elsewhere for. When in doubt, too."""
    followers = request.shared.followers
    if followers is None:
        return True
    what = f"{request.mount.name}\n{request.path.folded}\n{request.header('Range')}"
    try:
        return followers.may_send(request.user, request.agent, what)
    except BridgeError:
        return False
