"""A small threaded HTTP/1.1 server: keep-alive, TLS, streamed bodies both ways, and connections that break on purpose.

Why not `http.server`: it parses headers slowly, and gives no hold on how a connection ends.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import BinaryIO, cast
from urllib.parse import parse_qsl

from davbridge.emulator.line import PIECE, Line, Pace, PacedReader

BLOCK = 1 << 20
_DISCARDED = 64 << 20
"""Bytes of a refused body that are read, so that the client sees the answer and not a reset."""


class Drop(Exception):
    """Reset the connection without another byte."""


@dataclass
class Request:
    """One request; `path` is raw (percent-encoded), `query` decoded, header names lower case."""

    method: str
    path: str
    query_string: str
    headers: dict[str, str]
    reader: BinaryIO | PacedReader
    length: int
    send_continue: Callable[[], None] | None = None
    remaining: int = 0
    query: dict[str, str] = field(default_factory=dict)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of the body.

        Raises:
            Drop: the client went away.
        """
        if self.send_continue is not None:
            self.send_continue()
            self.send_continue = None
        size = min(size, self.remaining)
        if size <= 0:
            return b""
        data = self.reader.read(size)
        if len(data) < size:
            raise Drop
        self.remaining -= size
        return data

    def body(self, limit: int = 4 << 20) -> bytes:
        return self.read(min(self.length, limit))

    def discard(self) -> None:
        while self.remaining:
            self.read(BLOCK)


@dataclass(frozen=True)
class Response:
    """An answer. `stream` is an open file of which `length` bytes go out; `cut` ends the connection in mid-body.

    `upgrade` takes the connection over once the head is out, and ends with it.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    stream: BinaryIO | None = None
    length: int | None = None
    cut: int | None = None
    reset: bool = True
    upgrade: Callable[[socket.socket], None] | None = None


def json_response(body: object, status: int = 200) -> Response:
    """JSON without Graph's headers."""
    return Response(status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(body).encode())


Application = Callable[[Request], Response]


class Server:
    """Serves an application on a free loopback port, with a thread for each connection."""

    def __init__(
        self, application: Application, context: ssl.SSLContext | None, port: int = 0, line: Line | None = None
    ) -> None:
        self._application = application
        self._context = context
        self._line = line or Line()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer._serve(self.request)

        class Listener(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 512

            def shutdown_request(self, request: object) -> None:
                """The connection is closed where it is served."""

        self._server = Listener(("127.0.0.1", port), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, raw: socket.socket) -> None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.settimeout(120)
        connection = raw
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(raw, server_side=True)
        except OSError:
            raw.close()
            return
        with self._lock:
            self._open.add(connection)
        reader = cast(BinaryIO, connection.makefile("rb", BLOCK))
        body, down = PacedReader(reader, Pace(self._line)), Pace(self._line)
        try:
            while self._one(connection, reader, body, down):
                pass
        except (OSError, ValueError):
            pass
        except Drop:
            # l_linger 0: the peer sees a reset, not an end
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            with self._lock:
                self._open.discard(connection)
            with contextlib.suppress(OSError):
                reader.close()
            connection.close()

    def _one(self, connection: socket.socket, reader: BinaryIO, body: PacedReader, down: Pace) -> bool:
        line = reader.readline(65537)
        if not line.strip():
            return False
        method, target, version = line.decode("latin-1").split()
        headers: dict[str, str] = {}
        while (raw := reader.readline(65537).rstrip(b"\r\n")) != b"":
            name, _, value = raw.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        path, _, query = target.partition("?")
        length = int(headers.get("content-length", "0"))
        request = Request(method, path, query, headers, body, length)
        self._line.delay()
        request.remaining = length
        request.query = dict(parse_qsl(query, keep_blank_values=True))
        if headers.get("expect", "").lower() == "100-continue":
            request.send_continue = lambda: connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        unmeasured = method in ("PUT", "POST", "PATCH") and "content-length" not in headers
        if unmeasured or "chunked" in headers.get("transfer-encoding", "").lower():
            # Graph wants a length for uploads (§7.2: 411); nothing that we take is chunked
            response = Response(411, {"Connection": "close"})
        else:
            response = self._application(request)
        unread = request.remaining > 0
        if unread and request.remaining <= _DISCARDED and request.send_continue is None:
            request.discard()
            unread = False
        keep = not unread and version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        keep = keep and response.headers.get("Connection") != "close" and response.cut is None
        _send(connection, method, response, down, keep=keep)
        if response.upgrade is not None:
            response.upgrade(connection)
            return False
        return keep


def _send(connection: socket.socket, method: str, response: Response, down: Pace, *, keep: bool) -> None:
    length = response.length if response.stream is not None else len(response.body)
    try:
        reason = HTTPStatus(response.status).phrase
    except ValueError:
        reason = ""
    lines = [f"HTTP/1.1 {response.status} {reason}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if response.status not in (101, 204, 304) and "Content-Length" not in response.headers:
        lines.append(f"Content-Length: {length}")
    if not keep and "Connection" not in response.headers:
        lines.append("Connection: close")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    try:
        if method == "HEAD" or response.status in (101, 204, 304):
            connection.sendall(head)
            return
        if response.stream is None:
            body = response.body if response.cut is None else response.body[: response.cut]
            down.take(len(body))
            connection.sendall(head + body)
        else:
            connection.sendall(head)
            missing = length or 0
            if response.cut is not None:
                missing = min(missing, response.cut)
            largest = PIECE if down.is_limited else BLOCK
            while missing:
                block = response.stream.read(min(largest, missing))
                down.take(len(block))
                connection.sendall(block)
                missing -= len(block)
    finally:
        if response.stream is not None:
            response.stream.close()
    if response.cut is not None and response.reset:
        raise Drop
