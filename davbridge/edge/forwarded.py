"""What a reverse proxy says about the client: believed only from addresses that the configuration trusts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

Network = IPv4Network | IPv6Network
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Forwarded:
    """Middleware: the real scheme, host and client address in place of the proxy's."""

    def __init__(self, application: Application, trusted: Sequence[Network]) -> None:
        self._application = application
        self._trusted = tuple(trusted)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self._is_trusted(environ.get("REMOTE_ADDR", "")):
            if (scheme := _last(environ, "HTTP_X_FORWARDED_PROTO")) in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
            if host := _last(environ, "HTTP_X_FORWARDED_HOST"):
                environ["HTTP_HOST"] = host
            if client := _last(environ, "HTTP_X_FORWARDED_FOR"):
                environ["REMOTE_ADDR"] = client
        return self._application(environ, start_response)

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return not address and bool(self._trusted)  # a UNIX socket has no address; its file's mode guards it
        return any(parsed in network for network in self._trusted)


def _last(environ: dict[str, Any], key: str) -> str:
    # the last entry is the one that the trusted proxy itself has added
    return str(environ.get(key, "")).rpartition(",")[2].strip()
