"""The server on the wire: framing, bodies, slow clients, endings. Raw bytes in, raw bytes out."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from davbridge.edge import EdgeServer, Limits, make_server
from davbridge.errors import ConfigError

Exchange = Callable[..., bytes]


class Application:
    """Answers with what it has read; some paths do something else."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.entered = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["REQUEST_URI"]
        self.seen.append(f"{environ['REQUEST_METHOD']} {path}")
        if path == "/refuse":
            start_response("403 Forbidden", [("Content-Length", "2")])
            return [b"no"]
        if path == "/split":
            start_response("200 OK", [("Content-Length", "0"), ("X", "a\r\nSet-Cookie: b")])
            return []
        if path == "/breaks":
            return self._breaks(start_response)
        if path == "/wait":
            self.entered.set()
            self.go_on.wait(20)
        try:
            body = environ["wsgi.input"].read()
        except ConnectionError as error:
            body = f"cut: {error}".encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    def _breaks(self, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "1000")])
        yield b"half"
        raise RuntimeError("broken on purpose")


@pytest.fixture
def application() -> Application:
    """The application behind the server."""
    return Application()


@pytest.fixture
def server(application: Application) -> Iterator[EdgeServer]:
    """A server with little patience."""
    started = make_server(application, ["127.0.0.1:0"], limits=Limits(threads=4, header_seconds=0.5, timeout=5))
    started.start()
    yield started
    application.go_on.set()
    started.drain(2)


def connect(server: EdgeServer) -> socket.socket:
    """A connection of ours."""
    host, _, port = server.addresses[0].rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def environ_of(request: bytes) -> dict[str, Any]:
    """What an application gets of it; the request ends its connection."""
    seen: list[dict[str, Any]] = []

    def look(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    other = make_server(look, ["127.0.0.1:0"], limits=Limits(threads=2))
    other.start()
    with connect(other) as connection:
        connection.sendall(request)
        while connection.recv(4096):
            pass
    other.drain(1)
    (environ,) = seen
    return environ


@pytest.fixture
def exchange(server: EdgeServer) -> Exchange:
    """Send bytes, end our side, return all that comes back."""

    def run(data: bytes, *, end: bool = True) -> bytes:
        with connect(server) as connection:
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer

    return run


HEAD = b"PUT /x HTTP/1.1\r\nHost: h\r\n"


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: +1\r\n\r\na",
        HEAD + b"Content-Length: 1, 1\r\n\r\na",
        HEAD + b"Content-Length : 1\r\n\r\na",
        HEAD + b"X: a\r\n folded\r\n\r\n",
        HEAD + b"X: a\nY: b\r\n\r\n",
        HEAD + b"X\r\n\r\n",
        b"PUT /x HTTP/1.1\r\n\r\n",
        b"PUT /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET //[x HTTP/1.1\r\nHost: h\r\n\r\n",
    ],
)
def test_unclear_framing_is_refused(exchange: Exchange, application: Application, head: bytes) -> None:
    """400, the connection ends, and the application sees nothing: no second request can be smuggled behind it."""
    answer = exchange(head + b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", end=False)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert application.seen == []


def test_underscores_do_not_pass_for_hyphens() -> None:
    """A header with an underscore is dropped: WSGI could not tell it from the one with a hyphen."""
    environ = environ_of(b"GET / HTTP/1.1\r\nHost: h\r\nX_Forwarded_Proto: https\r\nConnection: close\r\n\r\n")
    assert "HTTP_X_FORWARDED_PROTO" not in environ


def test_bodies(exchange: Exchange) -> None:
    """Known lengths, chunks with extensions and trailers, and the next request on the same connection."""
    chunked = b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
    known = b"Content-Length: 2\r\n\r\nhi"
    answer = exchange(HEAD + chunked + HEAD + known + HEAD + b"Connection: close\r\nContent-Length: 0\r\n\r\n")
    assert [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == [b"abcde", b"hi", b""]


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 1000\r\n\r\nhalf",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabcde\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdefg\r\n0\r\n\r\n",
    ],
)
def test_bodies_that_are_cut(exchange: Exchange, rest: bytes) -> None:
    """The end of the connection is not the end of the body."""
    assert b"cut: " in exchange(HEAD + rest)


def test_continue_is_sent_when_the_body_is_read(server: EdgeServer) -> None:
    """A refused upload is never asked for its body; an accepted one is."""
    with connect(server) as connection:
        connection.sendall(b"PUT /refuse HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 9\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 403")
    with connect(server) as connection:
        connection.sendall(b"PUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ok")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_head_has_no_body(exchange: Exchange) -> None:
    """Whatever the application answers to a HEAD, the next answer on the connection begins right after its headers."""
    head = b"HEAD /refuse HTTP/1.1\r\nHost: h\r\n\r\n"
    answer = exchange(head + b"GET /refuse HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    first, second, body = answer.split(b"\r\n\r\n")
    assert b"Content-Length: 2" in first
    assert second.startswith(b"HTTP/1.1 403")
    assert body == b"no"


def test_other_expectations(exchange: Exchange) -> None:
    """417."""
    assert exchange(HEAD + b"Expect: magic\r\nContent-Length: 0\r\n\r\n").startswith(b"HTTP/1.1 417")


def test_unread_bodies(server: EdgeServer, application: Application) -> None:
    """A small one is read away and the connection lives on; a large one ends it, after the answer was read."""
    with connect(server) as connection:
        connection.sendall(b"PUT /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n123456789")
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := connection.recv(4096):
            answer += part
        assert answer.count(b"HTTP/1.1 ") == 2
    with connect(server) as connection:
        connection.sendall(b"PUT /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n" + bytes(5_000_000))
        answer = b""
        while part := connection.recv(4096):
            answer += part
        assert answer.startswith(b"HTTP/1.1 403")
        assert b"Connection: close" in answer


def test_silent_and_slow_clients_hold_no_thread(server: EdgeServer) -> None:
    """With four threads and a dozen clients that say nothing or half a header, others are served at once."""
    idle = [connect(server) for _ in range(12)]
    for number, connection in enumerate(idle):
        if number % 2:
            connection.sendall(b"GET / HT")
    with connect(server) as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    for connection in idle:
        connection.close()


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /x HTTP/1.1\r\nHost: h\r\n\r\nG",
        b"PUT /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n",
        b"PUT /refuse HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_second_halves_that_never_come(server: EdgeServer, begun: bytes) -> None:
    """Neither the beginning of a next header nor a body that nobody wants to read holds a thread for long."""
    idle = [connect(server) for _ in range(12)]
    for connection in idle:
        connection.sendall(begun)
    for connection in idle:
        assert connection.recv(4096).startswith((b"HTTP/1.1 200", b"HTTP/1.1 403"))
    begin = time.monotonic()
    with connect(server) as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    assert time.monotonic() - begin < 3
    for connection in idle:
        connection.close()


def test_a_header_in_two_halves(server: EdgeServer) -> None:
    """A next header whose beginning came with the request before is answered when its end comes."""
    with connect(server) as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTT")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(b"P/1.1\r\nHost: h\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_header_that_never_ends(server: EdgeServer) -> None:
    """After its time the connection is closed, however regularly a byte comes."""
    with connect(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        closed = threading.Event()

        def wait() -> None:
            try:
                while connection.recv(1):
                    pass
            except OSError:
                pass
            closed.set()

        threading.Thread(target=wait, daemon=True).start()
        for _ in range(100):
            if closed.wait(0.05):
                break
            try:
                connection.sendall(b"X")
            except OSError:
                break
        assert closed.wait(5)


def test_a_body_that_breaks_cuts_the_connection(exchange: Exchange) -> None:
    """Fewer bytes than announced, and no clean end of another kind."""
    answer = exchange(b"GET /breaks HTTP/1.1\r\nHost: h\r\n\r\n", end=False)
    assert b"Content-Length: 1000" in answer
    assert answer.endswith(b"\r\n\r\nhalf")


def test_a_header_is_one_line(exchange: Exchange) -> None:
    """Whatever the application puts into it: nobody can write headers of his own by a name."""
    answer = exchange(b"GET /split HTTP/1.1\r\nHost: h\r\n\r\n", end=False)
    assert answer.startswith(b"HTTP/1.1 500")
    assert b"Set-Cookie" not in answer


def test_old_and_absolute_forms(exchange: Exchange, application: Application) -> None:
    """HTTP/1.0 without Host, and a whole URL as the target."""
    assert exchange(b"GET /old HTTP/1.0\r\n\r\n", end=False).startswith(b"HTTP/1.1 200")
    exchange(b"GET http://h/abs HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n", end=False)
    assert application.seen == ["GET /old", "GET http://h/abs"]


@pytest.mark.parametrize("target", [b"http://h/a%20b?q", b"HTTP://h/a%20b?q", b"/a%20b?q"])
def test_the_path_of_a_target(target: bytes) -> None:
    """It is the same whichever way the target is written, so that no middleware is passed by."""
    environ = environ_of(b"GET " + target + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/a b", "q")


def test_large_headers(exchange: Exchange) -> None:
    """Bounded."""
    assert exchange(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 100_000 + b"\r\n\r\n")[:12] in (
        b"HTTP/1.1 413",
        b"HTTP/1.1 400",
    )


def test_an_answer_to_a_header_without_end(server: EdgeServer) -> None:
    """Who sends on while the refusal is on its way can read it afterwards: the connection is not reset."""
    with connect(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 2_000_000)
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
        assert connection.recv(4096)[:12] in (b"HTTP/1.1 413", b"HTTP/1.1 400")


def test_draining_lets_requests_finish(server: EdgeServer, application: Application) -> None:
    """What is under way is answered; nothing new is taken."""
    with connect(server) as connection:
        connection.sendall(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
        assert application.entered.wait(10)
        address = server.addresses[0]
        drain = threading.Thread(target=server.drain, args=(10,))
        drain.start()
        application.go_on.set()
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        drain.join(15)
        assert not drain.is_alive()
        host, _, port = address.rpartition(":")
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((host, int(port)), timeout=2)


def test_draining_cuts_what_takes_too_long(server: EdgeServer, application: Application) -> None:
    """An upload that is cut by the end of the server is an error, and not a shorter upload."""
    with connect(server) as connection:
        connection.sendall(b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhalf")
        while not application.seen:
            pass
        server.drain(0.3)
        answer = b""
        try:
            while part := connection.recv(4096):
                answer += part
        except ConnectionError:
            pass
        assert b"half" not in answer or b"cut: " in answer


def test_a_port_in_use(server: EdgeServer) -> None:
    """One clear sentence."""
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:\d+ is in use by another program"):
        make_server(lambda environ, start: [], [server.addresses[0]]).start()


@pytest.mark.parametrize("listen", ["8080x", "localhost", "127.0.0.1:99999", "", "unix:"])
def test_malformed_addresses(listen: str) -> None:
    """They are told."""
    with pytest.raises(ConfigError, match=r"server\.listen"):
        make_server(lambda environ, start: [], [listen])


def test_a_socket_takes_no_files_place(tmp_path: Path) -> None:
    """A file at a socket's path is not removed; a socket that a program has left there is replaced."""
    path = tmp_path / "config.yaml"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="is there already and no socket"):
        make_server(lambda environ, start: [], [f"unix:{path}"]).start()
    assert path.read_text() == "precious"
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(left))
    server = make_server(lambda environ, start: [], [f"unix:{left}"])
    server.start()
    server.drain(1)


def test_an_impossible_host_name() -> None:
    """A sentence, and no traceback."""
    with pytest.raises(ConfigError, match="no host name"):
        make_server(lambda environ, start: [], [".:80"]).start()
