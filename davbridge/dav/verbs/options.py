"""OPTIONS (RFC 4918 §10.1): 200 on everything, for everybody.

Windows and Office ask before they send credentials, also for names that do not exist, and judge by `DAV: 1, 2` and
`MS-Author-Via` whether they may write. Nothing here may look like IIS or FrontPage (clients §3.1, §3.2).
"""

from __future__ import annotations

from davbridge.dav.message import Request, Response

ALLOW = "OPTIONS, GET, HEAD, PROPFIND, PROPPATCH, PUT, MKCOL, DELETE, COPY, MOVE, LOCK, UNLOCK, REPORT, SEARCH"
GRAMMARS = "<DAV:basicsearch>"
"""What SEARCH can be asked in (RFC 5323 §3.1)."""


def handle(request: Request) -> Response:
    """The capabilities of the server; no item is looked up."""
    return Response(200, [("DAV", "1, 2, 3"), ("MS-Author-Via", "DAV"), ("Allow", ALLOW), ("DASL", GRAMMARS)])
