"""COPY (RFC 4918 §9.8): on Microsoft's side, no byte comes here."""

from __future__ import annotations

from davbridge.dav.message import Request, Response
from davbridge.dav.refusal import Refusal
from davbridge.dav.transfer import replaces, require_target_free, response, target_of


def handle(request: Request) -> Response:
    """201 or 204 when the copy is complete; Depth 0 copies a folder without what is in it."""
    depth = request.header("Depth").lower() or "infinity"
    if depth not in ("0", "infinity"):
        raise Refusal(400, "a copy has Depth 0 or infinity")
    target = target_of(request)
    replace = replaces(request)
    require_target_free(request, target)
    deep = depth == "infinity"
    written = request.driver.copy(request.path, target, replace=replace, deep=deep)
    name = request.mount.name
    if not written.created:
        request.shared.locks.forget_below(name, target)
    request.shared.deadprops.copy(name, request.path, target, deep=deep)
    return response(written)
