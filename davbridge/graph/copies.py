"""Server-side copies: started by one call, watched at a monitor (facts: Graph §4.4)."""

from __future__ import annotations

from davbridge import deadline
from davbridge.errors import AlreadyExists, BadUpstream, Forbidden, QuotaExceeded
from davbridge.graph.client import Graph
from davbridge.graph.failures import raise_for
from davbridge.graph.model import ItemRef
from davbridge.redact import Secret

_FIRST, _LONGEST = 0.1, 5.0
_OVER = frozenset({"failed", "deletefailed", "cancelled"})


def copy_item(graph: Graph, ref: ItemRef, *, parent: ItemRef, name: str, replace: bool = False) -> str:
    """Copy an item with all below it and wait until that is done; the new item's id, or empty when it is not told.

    `replace` is honoured for files on business drives and SharePoint only.

    Raises:
        AlreadyExists, QuotaExceeded, Forbidden, BadUpstream: as the monitor says.
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
    while True:
        graph.clock.sleep(pause)
        pause = min(pause * 1.5, _LONGEST)
        reply = graph.direct("GET", monitor, safe=True)
        if reply.status == 303:
            return reply.headers.get("location", "").rpartition("/")[2]
        raise_for(reply)
        state = reply.json()
        status = str(state.get("status", "")).lower()
        if status == "completed":
            return str(state.get("resourceId", ""))
        if status in _OVER:
            raise _failure(state)
        # a copy that goes on is progress; only the client's own patience ends it
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
