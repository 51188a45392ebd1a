"""MKCOL (RFC 4918 §9.3)."""

from __future__ import annotations

from davbridge.dav.conditions import check_if, require_unlocked
from davbridge.dav.message import Request, Response
from davbridge.dav.refusal import Refusal
from davbridge.errors import AlreadyExists


def handle(request: Request) -> Response:
    """201; 405 when something is there, 409 without a parent, 415 for a body, of which none is defined."""
    length = str(request.environ.get("CONTENT_LENGTH") or "0")
    if length != "0" or request.environ.get("wsgi.input_terminated"):
        raise Refusal(415, "MKCOL takes no body", headers=[("Connection", "close")])
    if request.path.is_root:
        raise Refusal(405, "the mount is there already")
    check_if(request)
    require_unlocked(request, request.path, member=True)
    try:
        request.driver.make_folder(request.path)
    except AlreadyExists as error:
        raise Refusal(405, "something of that name is there already") from error
    return Response(201)
