"""A Graph endpoint and the account that talks to it: what every operation is given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from davbridge.clock import Clock
from davbridge.errors import BadUpstream, Busy
from davbridge.graph.failures import raise_for
from davbridge.redact import Secret
from davbridge.tokens import TokenSource
from davbridge.transport import Outgoing, Reply, Transport
from davbridge.transport.hosts import host_key
from davbridge.transport.message import Parts
from davbridge.transport.wire import Broken

if TYPE_CHECKING:
    from davbridge.graph.readahead import ReadAhead


class Graph:
    """`base` is the versioned root, `https://graph.microsoft.com/v1.0`. Shared by all threads.

    `takes_batches` becomes false when the service is found to know no `$batch`. `ahead`, if there is one, is the
    process's own: large downloads are read over several connections by it.
    """

    def __init__(
        self,
        transport: Transport,
        tokens: TokenSource,
        base: str,
        clock: Clock,
        ahead: ReadAhead | None = None,
    ) -> None:
        self.transport = transport
        self._tokens = tokens
        self.base = base.rstrip("/")
        self.clock = clock
        self.ahead = ahead
        self.takes_batches = True

    def require_account(self) -> None:
        """Find out whether there is a token, where nothing is to be sent yet.

        Raises: as `TokenSource.token`.
        """
        self._tokens.token()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool = False,
    ) -> Reply:
        """One Graph call; `path` is relative to the base, or a nextLink. A `body` is sent as JSON.

        Raises:
            BridgeError: each error answer as `failures` says; what `Transport.send` raises.
        """
        reply = self.send(method, path, body=body, data=data, headers=headers, safe=safe)
        raise_for(reply)
        return reply

    def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool = False,
        once: bool = False,
        commits: bool = False,
    ) -> Reply:
        """As `call`, with the status left to the caller; `once`: without a second try; `commits`: see `Outgoing`."""
        fields = dict(headers or {})
        if body is not None:
            data = json.dumps(body).encode()
            fields["Content-Type"] = "application/json"
        url = path if path.startswith("https://") else self.base + path
        if host_key(url) != host_key(self.base):
            raise BadUpstream("Graph named a next page on another host")
        safe = safe or method in ("GET", "HEAD")
        request = Outgoing(method, url, fields, data, auth=self._tokens, safe=safe, once=once, commits=commits)
        try:
            return self.transport.send(request)
        except (BadUpstream, Busy) as error:
            if not isinstance(error.__context__, Broken):
                raise
            # with the host's name, for whoever looks after the firewall or the DNS server
            told = f"{urlsplit(self.base).netloc} cannot be reached"
            raise (Busy(told, error.retry_after) if isinstance(error, Busy) else BadUpstream(told)) from error

    def get_json(self, path: str) -> dict[str, Any]:
        """GET a JSON object; with shortcuts to shared folders, which are left out unless asked for (§2.9)."""
        return self.call("GET", path, headers={"Prefer": "Include-Feature=AddToOneDrive"}).json()

    def direct(
        self,
        method: str,
        url: Secret,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | Parts | None = None,
        stream: bool = False,
        safe: bool = False,
        commits: bool = False,
    ) -> Reply:
        """A request to a pre-authenticated URL: without a token, and with the status left to the caller."""
        request = Outgoing(method, url, dict(headers or {}), data, stream=stream, safe=safe, commits=commits)
        return self.transport.send(request)
