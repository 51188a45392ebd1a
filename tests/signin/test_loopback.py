"""The listener to which a browser comes back: what browsers do besides asking for the page."""

from __future__ import annotations

import socket

import requests

from davbridge.tokens.methods.loopback import Loopback


def test_a_connection_that_says_nothing() -> None:
    """Chromium opens connections in advance; one that stays silent keeps no other waiting."""
    with Loopback() as loopback, socket.create_connection(("127.0.0.1", loopback.port)):
        page = requests.get(f"http://127.0.0.1:{loopback.port}/?code=c&state=s", timeout=5).text
        assert "You can close this page" in page
        assert "refused" not in page
        assert loopback.wait("s", 5) == {"code": "c", "state": "s"}


def test_a_sign_in_that_was_refused() -> None:
    """The page does not look as if all were well."""
    with Loopback() as loopback:
        address = f"http://127.0.0.1:{loopback.port}/?error=access_denied&state=s"
        assert "Microsoft has refused the sign-in" in requests.get(address, timeout=5).text
