"""Whether Microsoft's hosts can be reached at all: their names, the way out, their certificates.

Why here: a sign-in that fails says that something failed; this says what, from the outside in.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from davbridge.config import Config
from davbridge.errors import BridgeError
from davbridge.transport.surroundings import Surroundings, surroundings

_SECONDS = 10.0


@dataclass(frozen=True)
class Reached:
    """A host, whether all is well with it, what was found, and what to do where it is not."""

    host: str
    ok: bool
    message: str
    remedy: str = ""


def reach(config: Config) -> Iterator[Reached]:
    """Each host that the accounts need, once."""
    wanted: dict[str, str | bool] = {}
    for account in config.accounts.values():
        cloud = account.where
        wanted.setdefault(cloud.graph_origin, cloud.verify)
        if account.sign_in != "managed_identity":  # that asks the machine it runs on
            wanted.setdefault(cloud.login, cloud.verify)
    for url, verify in wanted.items():
        yield _reach(url, verify)


def _reach(url: str, verify: str | bool) -> Reached:
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or 443
    shown = parts.netloc
    try:
        where = surroundings(url, verify)
    except BridgeError as error:
        return Reached(shown, False, str(error), "mend the file, or `ca_file` and REQUESTS_CA_BUNDLE that name it")
    if where.proxy is not None:
        # the proxy looks names up, and the sign-in below tells whether it lets us through
        return Reached(shown, True, f"by the proxy {urlsplit(where.proxy.reveal()).hostname}")
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return Reached(shown, False, "its name is not found", "see the machine's DNS, and `cloud` for the spelling")
    return _handshake(shown, host, port, where)


def _handshake(shown: str, host: str, port: int, where: Surroundings) -> Reached:
    connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=where.context)
    with contextlib.closing(connection):
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            return Reached(
                shown,
                False,
                f"its certificate is not trusted: {error.verify_message}",
                "see the clock; behind a proxy that inspects TLS, name its CA in REQUESTS_CA_BUNDLE or `ca_file`",
            )
        except ssl.SSLError:
            return Reached(shown, False, "it speaks no TLS 1.2", "see what answers in its place: a proxy, a firewall")
        except OSError as error:
            reason = "it does not answer" if isinstance(error, TimeoutError) else error.strerror or "it is not reached"
            return Reached(shown, False, reason, f"let TCP port {port} out, or set HTTPS_PROXY")
    return Reached(shown, True, "found, and its certificate is trusted")
