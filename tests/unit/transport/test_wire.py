"""The wire against a server that remembers what it was sent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from davbridge.clock import SystemClock
from davbridge.errors import BadUpstream
from davbridge.tokens.http import Http
from davbridge.transport import Outgoing
from davbridge.transport.wire import Broken, Wire


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


@pytest.mark.parametrize(
    ("answer", "told"), [(b"", "connection lost"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "TLS failed")]
)
def test_a_connection_that_is_cut_is_no_trouble_of_tls(answer: bytes, told: str) -> None:
    """Whoever reads the log looks at certificates and versions only when these are to blame."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    wire = Wire(True, 1)
    with pytest.raises(Broken, match=told):
        wire.send(Outgoing("GET", f"https://127.0.0.1:{listener.getsockname()[1]}/"), {}, 5)
    thread.join()
    wire.close()
    listener.close()


def test_a_bundle_that_is_gone(tmp_path: Path) -> None:
    """A file of certificates that was removed while the bridge runs is told as trouble on the way to Microsoft."""
    wire = Wire(str(tmp_path / "gone.pem"), 1)
    with pytest.raises(BadUpstream, match="trusted certificates"):
        wire.send(Outgoing("GET", "https://127.0.0.1:1/"), {}, 5)
    wire.close()
