"""DELETE (RFC 4918 §9.6): one call, also for a tree, into Microsoft's recycle bin."""

from __future__ import annotations

from davbridge.dav.conditions import check_if, check_preconditions, exact_match, require_unlocked
from davbridge.dav.message import Request, Response
from davbridge.dav.refusal import Refusal


def handle(request: Request) -> Response:
    """204. Locks and dead properties go with the item."""
    if request.path.is_root:
        raise Refusal(403, "a mount cannot be deleted")
    check_if(request)
    require_unlocked(request, request.path, tree=True, member=True)
    if (match := exact_match(request)) is None:
        check_preconditions(request, lambda: request.driver.stat(request.path))
    request.driver.delete(request.path, if_match=match)
    request.shared.locks.forget(request.mount.name, request.path)
    request.shared.deadprops.forget(request.mount.name, request.path)
    return Response(204)
