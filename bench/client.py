"""The measuring client: raw sockets and preallocated buffers, so that what is measured is the server."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

_BUFFER = 1 << 20


class Connection:
    """One keep-alive connection to a WebDAV server, with Basic credentials. Not thread-safe."""

    def __init__(self, base: str, user: str, password: str) -> None:
        parts = urlsplit(base)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._head = f"Host: {parts.netloc}\r\nAuthorization: Basic {credentials}\r\n"
        self._socket: socket.socket | None = None
        self._buffer = bytearray(_BUFFER)
        self.first_byte = 0.0
        """When the last answer began, by `time.perf_counter`."""

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: str = "",
        body: bytes | Iterable[bytes] = b"",
        length: int | None = None,
    ) -> tuple[int, int]:
        """Send one request, read its whole answer; return the status and the number of body bytes.

        A server that closes idle connections gets one more try on a fresh one.
        """
        size = len(body) if isinstance(body, bytes) else length
        head = f"{method} {path} HTTP/1.1\r\n{self._head}{headers}Content-Length: {size}\r\n\r\n".encode()
        for attempt in (1, 2):
            try:
                connection = self._open()
                if isinstance(body, bytes):
                    connection.sendall(head + body)
                else:
                    connection.sendall(head)
                    for block in body:
                        connection.sendall(block)
                return self._answer(connection, method)
            except (ConnectionError, BrokenPipeError):
                self.close()
                if attempt == 2 or not isinstance(body, bytes):
                    raise
        raise AssertionError

    def _open(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=600)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _answer(self, connection: socket.socket, method: str) -> tuple[int, int]:
        received = b""
        while b"\r\n\r\n" not in received:
            part = connection.recv(65536)
            if not part:
                raise ConnectionError("closed before an answer")
            if not received:
                self.first_byte = time.perf_counter()
            received += part
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if method == "HEAD" or status in (204, 304):
            total = 0
        elif fields.get("transfer-encoding", "").lower() == "chunked":
            total = self._chunks(connection, rest)
        else:
            total = int(fields.get("content-length", 0))
            missing = total - len(rest)
            while missing > 0:
                count = connection.recv_into(self._buffer, min(missing, _BUFFER))
                if not count:
                    raise ConnectionError(f"closed with {missing} bytes missing")
                missing -= count
        if fields.get("connection", "").lower() == "close":
            self.close()
        return status, total

    def _chunks(self, connection: socket.socket, data: bytes) -> int:
        total = 0
        while True:
            while b"\r\n" not in data:
                data += connection.recv(65536)
            line, _, data = data.partition(b"\r\n")
            size = int(line.split(b";")[0], 16)
            total += size
            missing = size + 2 - len(data)
            if missing <= 0:
                data = data[size + 2 :]
            else:
                data = b""
                while missing > 0:
                    count = connection.recv_into(self._buffer, min(missing, _BUFFER))
                    if not count:
                        raise ConnectionError("closed in the middle of a chunk")
                    missing -= count
            if size == 0:
                return total

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def zeros(length: int) -> Iterator[bytes]:
    """`length` bytes in blocks of 1 MiB."""
    block = bytes(_BUFFER)
    while length > 0:
        yield block[:length] if length < _BUFFER else block
        length -= min(length, _BUFFER)
