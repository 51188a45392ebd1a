"""Server-side copies: started by one call, watched at a monitor (facts: Graph §4.4)."""

from __future__ import annotations

from davbridge import deadline
from davbridge.errors import AlreadyExists, BadUpstream, Busy, Forbidden, QuotaExceeded, UnknownOutcome
from davbridge.graph.client import Graph
from davbridge.graph.failures import raise_for
from davbridge.graph.model import ItemRef
from davbridge.redact import Secret

_FIRST, _LONGEST = 0.1, 5.0
_STANDSTILL = 600.0
_VANISHED = frozenset({401, 403, 404, 410})
_OVER = frozenset({"failed", "deletefailed", "cancelled"})


def copy_item(graph: Graph, ref: ItemRef, *, parent: ItemRef, name: str, replace: bool = False) -> str:
    """Copy an item with all below it and wait until that is done; the new item's id, or empty when it is not told.

    `replace` is honoured for files on business drives and SharePoint only.

    Raises:
        AlreadyExists, QuotaExceeded, Forbidden, BadUpstream: as the monitor says.
        UnknownOutcome: it was begun, and the monitor tells nothing, or the same for ten minutes.
    """
    body = {"parentReference": {"driveId": parent.drive_id, "id": parent.item_id}, "name": name}
    # in the query: in the body it is not looked at
    behaviour = "replace" if replace else "fail"
    url = ref.url("copy") + f"?@microsoft.graph.conflictBehavior={behaviour}"
    reply = graph.call("POST", url, body=body, headers={"Prefer": "respond-async"})
    location = reply.headers.get("location", "")
    if not location:
        raise BadUpstream("Graph began a copy without saying where to watch it")
    return _wait(graph, Secret(location))


def _wait(graph: Graph, monitor: Secret) -> str:
    pause = _FIRST
    seen: dict[str, object] = {}
    moved = graph.clock.monotonic()
    while True:
        graph.clock.sleep(pause)
        pause = min(pause * 1.5, _LONGEST)
        try:
            reply = graph.direct("GET", monitor, safe=True)
            if reply.status in _VANISHED:
                raise BadUpstream("the monitor of a copy has vanished")
            raise_for(reply)
            state = reply.json() if reply.status != 303 else {}
        except (BadUpstream, Busy) as error:
            raise UnknownOutcome("a copy was begun, and Microsoft does not tell what becomes of it") from error
        if reply.status == 303:
            return reply.headers.get("location", "").rpartition("/")[2]
        status = str(state.get("status", "")).lower()
        if status == "completed":
            return str(state.get("resourceId", ""))
        if status in _OVER:
            raise _failure(state)
        # a copy that goes on is progress, and large ones show none for minutes
        if state != seen:
            seen, moved = state, graph.clock.monotonic()
        elif graph.clock.monotonic() - moved > _STANDSTILL:
            raise UnknownOutcome("a copy was begun and does not go on")
        deadline.current(graph.clock).extend()


def _failure(state: dict[str, object]) -> Exception:
    error = state.get("error")
    code = str(error.get("code", "")) if isinstance(error, dict) else ""
    code = (code or str(state.get("errorCode", ""))).lower()
    if "namealreadyexists" in code:
        return AlreadyExists("an item of that name exists already")
    if "quota" in code or "insufficient" in code:
        return QuotaExceeded("the drive is full")
    if "accessdenied" in code:
        return Forbidden("Microsoft does not allow this copy")
    return BadUpstream("Microsoft could not copy the item")
