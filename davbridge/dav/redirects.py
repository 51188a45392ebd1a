"""Who is sent to Microsoft's own download address, and who gets the bytes through the bridge (facts: clients §4.1).

A wrong redirect breaks a client, a proxied download only costs bandwidth: whoever is not known to follow is proxied.
"""

from __future__ import annotations

import re

from davbridge.dav.message import Request
from davbridge.drivers.protocol import Item

SMALLEST = 8 * 2**20
"""Bytes below which `auto` never redirects: the second connection costs more than it saves."""

_NEVER = re.compile(
    r"MiniRedir|DavClnt|Microsoft Office|MSOffice|OneNote|^WebDAVFS|WebDAVLib|davfs2|neon/|cadaver|WinSCP|Cyberduck|"
    r"Mountain ?Duck|RaiDrive|NetDrive|WebDrive|Lavf|libmpv|mpv|IINA|PotPlayer|nPlayer|RetroArch|DAVx5|Joplin|Zotero|"
    r"KeePass|mirall|LibreOffice|curl|Wget|python|aiohttp|okhttp|Go-http-client",
    re.IGNORECASE,
)
_FOLLOWS = re.compile(r"^gvfs/|KIO/\d|^rclone/|VLC/|^Mozilla/5\.0 .*(?:Gecko/|AppleWebKit/)")
_OUR_VALIDATORS = ("If-Match", "If-None-Match", "If-Unmodified-Since", "If-Range")


def redirects(request: Request, item: Item) -> bool:
    """Whether this GET of a file is answered by a redirect."""
    mode = request.mount.download
    if mode == "proxy" or request.method != "GET":
        return False
    if request.header("Translate").lower() == "f":
        return False  # the mark of a mounted drive
    if any(request.header(name) for name in _OUR_VALIDATORS):
        return False  # the other host does not know our ETags
    if mode == "redirect":
        return True
    agent = request.agent
    if item.size < SMALLEST or _NEVER.search(agent) or not _FOLLOWS.search(agent):
        return False
    # a script's request would run into CORS there
    return not (request.header("Origin") and "KIO/" not in agent)
