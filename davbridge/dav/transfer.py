"""What COPY and MOVE have in common: where to, and what stands in the way (RFC 4918 §9.8, §9.9)."""

from __future__ import annotations

from davbridge.dav.conditions import check_if, check_preconditions, require_unlocked
from davbridge.dav.destination import parse_destination
from davbridge.dav.message import Request, Response
from davbridge.dav.refusal import Refusal
from davbridge.drivers.protocol import Written
from davbridge.paths import DavPath


def target_of(request: Request) -> DavPath:
    """The target, when it makes sense for this source.

    Raises:
        Refusal: 403 for the item itself, or a place below it, or a whole mount.
    """
    source, target = request.path, parse_destination(request)
    if source.is_root or target.is_root:
        raise Refusal(403, "a whole mount cannot be moved, copied or replaced")
    if source.folded == target.folded and (request.method == "COPY" or source == target):
        raise Refusal(403, "source and destination are the same")
    if source.folded != target.folded and (target.is_within(source) or source.is_within(target)):
        raise Refusal(403, "one of source and destination is inside the other")
    check_if(request)
    check_preconditions(request, lambda: request.driver.stat(source))
    return target


def replaces(request: Request) -> bool:
    """The Overwrite header; absent means yes (§10.6)."""
    value = request.header("Overwrite").upper() or "T"
    if value not in ("T", "F"):
        raise Refusal(400, "the Overwrite header is T or F")
    return value == "T"


def require_target_free(request: Request, target: DavPath) -> None:
    """Refuse when a lock protects what would be replaced, or its folder."""
    require_unlocked(request, target, tree=True, member=True)


def response(written: Written) -> Response:
    """201 for a target that is new, 204 for one that was replaced."""
    return Response(201 if written.created else 204)
