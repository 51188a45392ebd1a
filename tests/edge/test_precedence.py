"""Which requests others give way to, as the server sees them on the wire."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from davbridge.edge import EdgeServer, Limits, make_server
from davbridge.precedence import PRECEDENCE, SMALL

HALF = SMALL // 2


class Application:
    """Reads its body and answers with as much, by halves of what is small; notes who has precedence meanwhile."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        self._look()
        total = 0
        while data := environ["wsgi.input"].read(HALF):
            self._look()
            total += len(data)
        start_response("200 OK", [("Content-Length", str(total))])
        return self._answer(total)

    def _answer(self, total: int) -> Iterator[bytes]:
        for _ in range(total // HALF):
            yield bytes(HALF)
            self._look()

    def _look(self) -> None:
        self.seen.append(PRECEDENCE.answering)


@pytest.fixture
def application() -> Application:
    """The application behind the server."""
    return Application()


@pytest.fixture
def server(application: Application) -> Iterator[EdgeServer]:
    """A server that nobody else asks."""
    started = make_server(application, ["127.0.0.1:0"], limits=Limits(threads=2))
    started.start()
    yield started
    started.drain(2)


def ask(server: EdgeServer, body: bytes, head: bytes = b"Content-Length: %d") -> None:
    """One request, until the server has ended the connection."""
    host, _, port = server.addresses[0].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        length = head % len(body) if b"%" in head else head
        connection.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + length + b"\r\n\r\n")
        connection.sendall(body)
        while connection.recv(65536):
            pass


def test_a_small_request_has_precedence_to_its_end(server: EdgeServer, application: Application) -> None:
    """Before, between and after its blocks; and nobody has it when it has been answered."""
    ask(server, bytes(HALF))
    assert application.seen == [1, 1, 1]
    assert PRECEDENCE.answering == 0


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_loses_it(server: EdgeServer, application: Application, chunked: bool) -> None:
    """From the first block on that is more than a small request has, in or out, however it is framed."""
    body = bytes(3 * HALF)
    if chunked:
        ask(server, b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body), b"Transfer-Encoding: chunked")
    else:
        ask(server, body)
    assert application.seen[:4] == [1, 1, 1, 0]
    assert set(application.seen[4:]) == {0}


def test_a_large_answer_loses_it(server: EdgeServer, application: Application) -> None:
    """A body of half of what is small and an answer of as much are a small request; with more it is a large one."""
    ask(server, bytes(2 * HALF))
    assert application.seen == [1, 1, 1, 0, 0]
