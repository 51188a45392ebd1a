"""Whether a form is one of ours, sent from one of our pages: what keeps other sites from acting through a browser.

Two walls besides the cookie's `SameSite=Strict`: the browser's own word on where the form comes from, and a token that
is made from the cookie's secret, so that nobody can write a form without knowing the session.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def token_for(secret: str) -> str:
    """What the forms of a session, or of a visitor who has none yet, carry."""
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()


def is_token(secret: str, given: str) -> bool:
    """In constant time. An empty secret has no token."""
    return bool(secret) and hmac.compare_digest(token_for(secret).encode(), given.encode("utf-8", "replace"))


def is_from_here(environ: Mapping[str, Any]) -> bool:
    """What the browser says: `Sec-Fetch-Site`, or, over plain http to other machines, `Origin` alone.

    The scheme is not compared: behind a proxy that does not tell we see http where the browser sees https. A request
    with neither header comes from no browser that people use today, and is refused.
    """
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return bool(site == "same-origin")
    try:
        origin = urlsplit(str(environ.get("HTTP_ORIGIN", "")))
        host = urlsplit(f"//{environ.get('HTTP_HOST', '')}")
        usual = _PORTS.get(origin.scheme)
        if usual is None or not origin.hostname:
            return False
        return (origin.hostname, origin.port or usual) == (host.hostname, host.port or usual)
    except ValueError:  # no port at all
        return False
