"""Where tokens may go, and where we talk to at all (law 8).

A bearer token goes to the Graph host and to no other. Pre-authenticated URLs come out of Graph's answers, on hosts of
Microsoft's storage that are too many to list (facts: Graph §1.7): they are followed over https only, without a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from davbridge.errors import BadUpstream

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_DEFAULT_PORTS = {"https": 443, "http": 80}


def host_key(url: str) -> str:
    """`host:port` of a URL, lower case: what a throttle gate and a token rule are kept by."""
    parts = urlsplit(url)
    return f"{(parts.hostname or '').lower()}:{parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)}"


@dataclass(frozen=True)
class HostRules:
    """`graph` is the base URL of Graph."""

    graph: str

    def may_send_token(self, url: str) -> bool:
        """True for https URLs of the Graph host, port included."""
        return urlsplit(url).scheme == urlsplit(self.graph).scheme and host_key(url) == host_key(self.graph)

    def check(self, url: str) -> None:
        """Refuse an address that nobody at Microsoft would name.

        Raises:
            BadUpstream: not https (plain http is for loopback), or without a host.
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if (
            not host
            or parts.username
            or not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))
        ):
            raise BadUpstream("Microsoft named an address that the bridge does not follow")
