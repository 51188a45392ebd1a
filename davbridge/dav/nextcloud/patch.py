"""PATCH as Nextcloud has it: "compute the file's checksum again", which rclone asks for after each upload."""

from __future__ import annotations

from davbridge.dav.message import Request, Response
from davbridge.dav.refusal import Refusal


def handle(request: Request) -> Response:
    """204 without `OC-Checksum`: none is known here, and to read the file back for one would cost a download.

    Raises:
        Refusal: 501 for whatever else PATCH may mean, sabre's partial update among it.
    """
    if not request.header("X-Recalculate-Hash"):
        raise Refusal(501, "a part of a file cannot be stored; send the whole", headers=[("Connection", "close")])
    request.driver.stat(request.path)
    return Response(204)
