"""MOVE (RFC 4918 §9.9): one step at Microsoft, ids, sharing links and versions kept."""

from __future__ import annotations

from davbridge.dav.conditions import require_unlocked
from davbridge.dav.message import Request, Response
from davbridge.dav.refusal import Refusal
from davbridge.dav.transfer import replaces, require_target_free, response, target_of


def handle(request: Request) -> Response:
    """201 or 204. Locks stay behind (§7.6), dead properties come along."""
    if (request.header("Depth").lower() or "infinity") != "infinity":
        raise Refusal(400, "a move has Depth infinity")
    target = target_of(request)
    replace = replaces(request)
    require_unlocked(request, request.path, tree=True, member=True)
    case_only = request.path.folded == target.folded
    if not case_only:
        require_target_free(request, target)
    written = request.driver.move(request.path, target, replace=replace)
    name, shared = request.mount.name, request.shared
    shared.locks.forget(name, request.path)
    if not case_only:
        # a lock on the target itself goes on, since its URL stays mapped (§6.1); davfs2, which holds it, renames an
        # editor's temporary file over the document and then stores into it
        shared.locks.forget_below(name, target)
        shared.deadprops.move(name, request.path, target)
    return response(written)
