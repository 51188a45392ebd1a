"""A call that Graph carries out only if a folder exists, in one round trip (facts: Graph §6; decision 003).

The two inner requests are charged for singly, and each has a status of its own; the outer one is 200 all the same.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from davbridge.errors import BadUpstream, UnknownOutcome
from davbridge.graph.client import Graph
from davbridge.graph.decode import drive_item
from davbridge.graph.failures import raise_for
from davbridge.graph.items import ONE
from davbridge.graph.model import DriveItem, ItemRef
from davbridge.transport import Reply
from davbridge.transport.retry import THROTTLED, UNAVAILABLE

LARGEST = 5 * 2**19
"""Bytes of a body: in base64 it must stay below the batch's 4 MB."""
_NOT_DONE = frozenset({401, 404, 424}) | THROTTLED


class NotDone(Exception):
    """The call was not carried out, for a reason that does not matter: do it by itself.

    `unsure`: a gateway said 503, which may hide a success.
    """

    def __init__(self, *, unsure: bool = False) -> None:
        super().__init__()
        self.unsure = unsure


class IfFolder:
    """Takes the place of a `Graph` for one call. `folder` is what was found, also when the call itself failed."""

    def __init__(self, graph: Graph, ref: ItemRef) -> None:
        self._graph = graph
        self._ref = ref
        self.folder: DriveItem | None = None

    def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """As `Graph.call`, in a batch behind a look at the folder.

        Raises:
            NotDone: no such folder, throttled, or no batches here.
            BridgeError: the call's own failure, as `failures` says; UnknownOutcome when the batch's answer was lost.
        """
        fields = dict(headers or {})
        if body is not None:
            fields["Content-Type"] = "application/json"
        else:
            # with application/json the body would be taken for JSON: the base64 text itself would be stored
            fields["Content-Type"] = "application/octet-stream"
        content = body if body is not None else base64.urlsafe_b64encode(data or b"").decode()
        look = {
            "id": "1",
            "method": "GET",
            "url": f"{self._ref.url()}?{ONE}",
            "headers": {"Prefer": "Include-Feature=AddToOneDrive"},
        }
        act = {"id": "2", "method": method, "url": path, "dependsOn": ["1"], "headers": fields, "body": content}
        found, done = self._exchange(look, act)
        if found.status == 200:
            self.folder = drive_item(found.json(), drive_id=self._ref.drive_id)
        for reply in (found, done):
            self._graph.transport.heed(self._graph.base, reply)
        odd = self.folder is not None and self.folder.kind != "folder"
        if done.status in _NOT_DONE or (odd and done.status >= 400):
            raise NotDone(unsure=done.status == UNAVAILABLE)
        if done.status >= 500 and done.status not in (501, 507):
            raise UnknownOutcome("Microsoft's server failed and did not tell what it had done")
        raise_for(done)
        return done

    def _exchange(self, *requests: dict[str, Any]) -> list[Reply]:
        """The answers in the order of the requests, whatever order they came in."""
        if not self._graph.takes_batches:
            raise NotDone
        reply = self._graph.send("POST", "/$batch", body={"requests": requests}, commits=True)
        if reply.status != 200:
            self._graph.takes_batches = reply.status not in (404, 405, 501)
            raise NotDone(unsure=reply.status == UNAVAILABLE)
        try:
            answers = {str(one["id"]): one for one in reply.json()["responses"]}
            return [_inner(answers[request["id"]]) for request in requests]
        except (AttributeError, BadUpstream, KeyError, TypeError, ValueError):
            raise UnknownOutcome("Microsoft did not answer each request of a batch") from None


def _inner(answer: dict[str, Any]) -> Reply:
    headers = {str(name).lower(): str(value) for name, value in (answer.get("headers") or {}).items()}
    body = answer.get("body")
    return Reply(int(answer.get("status") or 0), headers, b"" if body is None else json.dumps(body).encode())
