"""The threads of a listener: who waits holds nobody else up, and there are no more of them than are needed."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from davbridge.edge import EdgeServer, Limits, Tls, make_server
from davbridge.edge.connection import EdgeConnection
from davbridge.edge.crew import Crew
from davbridge.waiting import about_to_wait

GET = b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n"


class Application:
    """`/wait` says that it waits, and does; `/silent` does not say so; the others answer at once."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.threads: set[int] = set()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.threads.add(threading.get_ident())
        path = environ["PATH_INFO"]
        if path in ("/wait", "/silent"):
            if path == "/wait":
                about_to_wait()
            self.entered.release()
            self.go_on.wait(20)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]


@pytest.fixture
def application() -> Application:
    """Behind the server."""
    return Application()


@pytest.fixture
def serve(application: Application) -> Iterator[Callable[..., EdgeServer]]:
    """Start a server; at the end everything that waits goes on."""
    servers: list[EdgeServer] = []

    def start(limits: Limits, tls: Tls | None = None) -> EdgeServer:
        server = make_server(application, ["127.0.0.1:0"], tls, limits)
        server.start()
        servers.append(server)
        return server

    yield start
    application.go_on.set()
    for server in servers:
        server.drain(5)


def connect(server: EdgeServer) -> socket.socket:
    """A connection of ours."""
    host, _, port = server.addresses[0].rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def ask(connection: socket.socket, path: bytes = b"/") -> bytes:
    """One answer."""
    connection.sendall(GET % path)
    return connection.recv(4096)


def edge_threads() -> list[threading.Thread]:
    """Those that the crews have made."""
    return [one for one in threading.enumerate() if one.name == "edge"]


@pytest.mark.parametrize("path", [b"/wait", b"/silent"])
def test_nobody_waits_for_who_waits(serve: Callable[..., EdgeServer], application: Application, path: bytes) -> None:
    """With all but one thread held up, others are answered; whether or not those threads have said that they wait."""
    server = serve(Limits(threads=8))
    held = [connect(server) for _ in range(7)]
    for connection in held:
        connection.sendall(GET % path)
        assert application.entered.acquire(timeout=5)
    with connect(server) as other:
        for _ in range(20):
            assert ask(other).startswith(b"HTTP/1.1 200")
    application.go_on.set()
    for connection in held:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        assert ask(connection).startswith(b"HTTP/1.1 200"), "a connection that was held up can be used again"
        connection.close()


def test_all_threads_are_held_up(serve: Callable[..., EdgeServer], application: Application) -> None:
    """Who comes then is answered as soon as one of them is free."""
    server = serve(Limits(threads=3))
    held = [connect(server) for _ in range(3)]
    for connection in held:
        connection.sendall(GET % b"/wait")
    for _ in held:
        assert application.entered.acquire(timeout=5)
    with connect(server) as late:
        late.sendall(GET % b"/")
        application.go_on.set()
        assert late.recv(4096).startswith(b"HTTP/1.1 200")
    for connection in held:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.close()


def test_quick_requests_need_one_thread(serve: Callable[..., EdgeServer], application: Application) -> None:
    """Many connections in turn are answered by one thread, and no more than its heir is made beside it."""
    before = len(edge_threads())
    server = serve(Limits(threads=64))
    connections = [connect(server) for _ in range(30)]
    for _ in range(10):
        for connection in connections:
            assert ask(connection).startswith(b"HTTP/1.1 200")
    for connection in connections:
        connection.close()
    # one request may have taken longer than a tick on a busy machine
    assert len(application.threads) <= 3
    assert len(edge_threads()) - before <= 3


def test_the_heir_wakes_from_a_doze(
    serve: Callable[..., EdgeServer], application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a long quiet, too, somebody takes the lead from a thread that is held up and does not say so."""
    monkeypatch.setattr("davbridge.edge.crew._DOZE_AFTER", 2)
    server = serve(Limits(threads=4))
    with connect(server) as first, connect(server) as second:
        assert ask(first).startswith(b"HTTP/1.1 200")
        time.sleep(0.1)
        first.sendall(GET % b"/silent")
        assert application.entered.acquire(timeout=5)
        assert ask(second).startswith(b"HTTP/1.1 200")


def test_handshakes_that_never_end_hold_no_thread(serve: Callable[..., EdgeServer], tmp_path: Path) -> None:
    """More clients than threads stop in the middle of a handshake, or after it; they are closed after their time."""
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "pem")
    server = serve(Limits(threads=3, header_seconds=1), Tls(str(tmp_path / "pem")))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    silent = [connect(server) for _ in range(8)]
    for connection in silent[:4]:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01")
    begin = time.monotonic()
    with context.wrap_socket(connect(server), server_hostname="localhost") as other:
        half = context.wrap_socket(connect(server), server_hostname="localhost")
        half.sendall(b"GET / HTTP/1.1\r\nHos")
        other.sendall(GET % b"/")
        assert other.recv(4096).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - begin < 1
    for connection in silent:
        connection.settimeout(5)
        assert connection.recv(4096) == b""
        connection.close()
    assert half.recv(4096) == b""
    half.close()


def test_idle_connections_are_closed(serve: Callable[..., EdgeServer]) -> None:
    """After the server's timeout, and not before."""
    server = serve(Limits(threads=2, timeout=1))
    with connect(server) as connection:
        assert ask(connection).startswith(b"HTTP/1.1 200")
        time.sleep(0.5)
        assert ask(connection).startswith(b"HTTP/1.1 200")
        begin = time.monotonic()
        assert connection.recv(1) == b""
        assert time.monotonic() - begin > 0.5


def test_without_files_left(serve: Callable[..., EdgeServer], monkeypatch: pytest.MonkeyPatch) -> None:
    """When no connection can be accepted, it is tried again a little later, and told once in that time."""
    told: list[str] = []
    monkeypatch.setattr("davbridge.edge.crew.log.error", lambda text, *args: told.append(text % args))
    failures = iter([OSError(24, "Too many open files"), OSError(24, "Too many open files")])
    original = Crew.open

    def open_(crew: Crew, listening: socket.socket, accept: Callable[[], Any]) -> None:
        def limited() -> Any:
            if (failure := next(failures, None)) is not None:
                raise failure
            return accept()

        original(crew, listening, limited)

    monkeypatch.setattr(Crew, "open", open_)
    server = serve(Limits(threads=2))
    with connect(server) as connection:
        assert ask(connection).startswith(b"HTTP/1.1 200")
    assert told == ["no connection can be accepted: [Errno 24] Too many open files"] * 2


def test_a_mistake_costs_one_connection(
    serve: Callable[..., EdgeServer], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong outside of the application: the others are served, and the log tells."""
    original = EdgeConnection.advance
    mistakes = iter([RuntimeError("a mistake"), RuntimeError("another one")])

    def advance(connection: EdgeConnection) -> bool:
        if (mistake := next(mistakes, None)) is not None:
            raise mistake
        return original(connection)

    monkeypatch.setattr(EdgeConnection, "advance", advance)
    server = serve(Limits(threads=3))
    for _ in range(2):
        with connect(server) as connection:
            assert ask(connection) == b""
    with connect(server) as connection:
        assert ask(connection).startswith(b"HTTP/1.1 200")
    assert "another one" in caplog.text


def test_threads_end_with_the_server(application: Application) -> None:
    """After draining none is left."""
    before = set(threading.enumerate())
    server = make_server(application, ["127.0.0.1:0"], limits=Limits(threads=8))
    server.start()
    held = [connect(server) for _ in range(5)]
    for connection in held:
        connection.sendall(GET % b"/wait")
        assert application.entered.acquire(timeout=5)
    application.go_on.set()
    server.drain(5)
    for connection in held:
        connection.close()
    assert set(threading.enumerate()) <= before
