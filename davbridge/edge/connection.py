"""One connection: plain buffers, the TLS handshake in the worker, and an end that the peer understands."""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import time
from typing import Any

from cheroot.makefile import StreamReader
from cheroot.server import HTTPConnection

from davbridge.edge.request import EdgeRequest

_LINGER_SECONDS, _LINGER_BYTES = 5.0, 256 << 20


class Reader(StreamReader):
    """cheroot's reader, which also sees what TLS has decrypted already."""

    def __init__(self, sock: Any, mode: str = "rb", bufsize: int = io.DEFAULT_BUFFER_SIZE) -> None:
        super().__init__(sock, mode, bufsize)
        self._sock = sock

    def has_data(self) -> bool:
        """Whether a read would find something without waiting."""
        buffered = bool(super().has_data())  # type: ignore[no-untyped-call] # cheroot types it partly
        return buffered or (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0)


class Writer:
    """Writes whole blocks to the socket; there is nothing to buffer, since heads and blocks come in one piece."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self.bytes_written = 0

    def write(self, data: bytes) -> int:
        """Send all of `data`. Raises OSError when the client is gone, or takes nothing for the server's timeout."""
        self._sock.sendall(data)
        self.bytes_written += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """The connection closes the socket."""


def make_file(sock: Any, mode: str = "rb", bufsize: int = io.DEFAULT_BUFFER_SIZE) -> Any:
    """cheroot's hook for a connection's two ends."""
    return Reader(sock, mode, bufsize) if "r" in mode else Writer(sock)


class EdgeConnection(HTTPConnection):
    """`waiting_since`: when the first byte of a request came whose header is not complete; None when there is none."""

    RequestHandlerClass = EdgeRequest

    def __init__(self, server: Any, sock: Any, makefile: Any = make_file) -> None:
        super().__init__(server, sock, make_file)
        self.waiting_since: float | None = None
        self.lingers = False
        self._shaken = not isinstance(sock, ssl.SSLSocket)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.opened(self)

    def communicate(self) -> bool:
        """Serve one request; whether the connection stays open."""
        if not self._shaken:
            try:
                self.socket.settimeout(self.server.header_seconds)
                self.socket.do_handshake()
            except OSError:
                return False
            self._shaken = True
        # until the header is there the client has little time; for the rest of the request, more
        self.socket.settimeout(self.server.timeout)
        return bool(super().communicate())  # type: ignore[no-untyped-call] # cheroot types it partly

    def close(self) -> None:
        """Close; where the client may still be sending, let it read our answer first."""
        self.server.closed(self)
        if self.lingers:
            self._linger()
        with contextlib.suppress(OSError):
            super().close()

    def _linger(self) -> None:
        end = time.monotonic() + _LINGER_SECONDS
        left = _LINGER_BYTES
        with contextlib.suppress(OSError, ValueError):
            self.socket.shutdown(socket.SHUT_WR)
            self.socket.settimeout(0.5)
            while left > 0 and time.monotonic() < end:
                data = self.socket.recv(65536)
                if not data:
                    return
                left -= len(data)
