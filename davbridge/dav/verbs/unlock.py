"""UNLOCK (RFC 4918 §9.11). Old Windows and npm's webdav send the token without angle brackets."""

from __future__ import annotations

from davbridge.dav.message import Request, Response
from davbridge.dav.refusal import Refusal
from davbridge.drivers.overlay import Reserves


def handle(request: Request) -> Response:
    """204. A name that was only reserved becomes an empty file now, unless content has come."""
    token = request.header("Lock-Token").strip("<> ")
    if not token:
        raise Refusal(400, "the Lock-Token header is missing")
    held = [lock for lock in request.shared.locks.covering(request.mount.name, request.path) if lock.token == token]
    if not held:
        raise Refusal(409, "no lock of that token covers the item", condition="lock-token-matches-request-uri")
    if held[0].user != request.user:
        raise Refusal(403, "the lock belongs to somebody else")
    request.shared.locks.release(token)
    if isinstance(request.driver, Reserves):
        request.driver.settle(held[0].path)
    return Response(204)
