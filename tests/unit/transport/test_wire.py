"""The wire against a server that remembers what it was sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from davbridge.clock import SystemClock
from davbridge.tokens.http import Http
from davbridge.transport import Outgoing
from davbridge.transport.wire import Wire


@pytest.fixture
def server() -> Iterator[tuple[str, list[str | None]]]:
    """Its URL, and the Authorization of each request."""
    seen: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Quiet."""

    made = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}/", seen
    made.shutdown()
    made.server_close()


def test_netrc_is_not_read(
    server: tuple[str, list[str | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password in ~/.netrc goes nowhere, and does not take the place of a token."""
    url, seen = server
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password hidden\n")
    monkeypatch.setenv("NETRC", str(netrc))
    wire, http = Wire(True, 1), Http(True, SystemClock())
    wire.send(Outgoing("GET", url), {}, 5)
    wire.send(Outgoing("GET", url), {"Authorization": "Bearer t0ken"}, 5)
    http.get(url)
    wire.close()
    http.close()
    assert seen == [None, "Bearer t0ken", None]
