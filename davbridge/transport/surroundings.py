"""What the environment says about a connection that is not made by `Wire`: its proxy, and whom it trusts.

Why here: a push channel (`davbridge.push`) opens its own connection, and must take the same way out, and trust the same
authorities, as every other request; so `requests` itself is asked for both.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy

from davbridge.errors import BadUpstream
from davbridge.redact import Secret


@dataclass(frozen=True)
class Surroundings:
    """`proxy`: its URL, which may hold a password; None without one. `context` verifies certificates and names."""

    proxy: Secret | None
    context: ssl.SSLContext


def surroundings(url: str, verify: str | bool) -> Surroundings:
    """For a URL, of which only scheme, host and port matter; `verify` as in `Wire`.

    Raises:
        BadUpstream: the CA file cannot be read.
    """
    with requests.Session() as session:
        found = session.merge_environment_settings(url, {}, None, verify, None)
    proxy = select_proxy(url, found["proxies"])
    trusted = found["verify"] if isinstance(found["verify"], str) else DEFAULT_CA_BUNDLE_PATH
    try:
        context = _context(Path(trusted))
    except OSError as error:  # ssl.SSLError is one
        raise BadUpstream(f"the CA file {trusted} cannot be used: {error.strerror or 'no certificate in it'}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return Surroundings(Secret(proxy) if proxy else None, context)


def _context(trusted: Path) -> ssl.SSLContext:
    if trusted.is_dir():
        return ssl.create_default_context(capath=str(trusted))
    return ssl.create_default_context(cafile=str(trusted))
