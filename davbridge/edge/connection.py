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


class _Hurried:
    """A socket whose reads together have until `until`, however regularly a byte comes; None: each has its own time."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self.until: float | None = None

    def recv_into(self, buffer: Any) -> int:
        if self.until is not None:
            left = self.until - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
        return int(self._sock.recv_into(buffer))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Reader(StreamReader):
    """cheroot's reader, which knows when a header is complete, and can be in a hurry."""

    def __init__(self, sock: Any, mode: str = "rb", bufsize: int = io.DEFAULT_BUFFER_SIZE) -> None:
        self._hurried = _Hurried(sock)
        super().__init__(self._hurried, mode, bufsize)
        self._sock = sock

    def has_data(self) -> bool:
        """Whether a worker has something to do between two requests: a whole header, or what TLS has decrypted.

        The beginning of a header, sent together with the request before, is no reason to hold a thread.
        """
        if isinstance(self._sock, ssl.SSLSocket):
            return bool(self.buffered()) or self._sock.pending() > 0
        return b"\r\n\r\n" in self.buffered()

    def buffered(self) -> bytes:
        """What was read from the socket and not from here yet."""
        has_some = bool(super().has_data())  # type: ignore[no-untyped-call] # cheroot types it partly
        return bytes(self.peek(1)) if has_some else b""

    def hurry(self, seconds: float | None) -> None:
        """Let all reads from now on together have `seconds`; None: no longer."""
        self._hurried.until = None if seconds is None else time.monotonic() + seconds


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
        # until the header is there the client has little time; for the rest of the request, more (`take_time`)
        self.rfile.hurry(self.server.header_seconds)
        return bool(super().communicate())  # type: ignore[no-untyped-call] # cheroot types it partly

    def take_time(self) -> None:
        """From here on each read and write has the server's timeout."""
        self.rfile.hurry(None)
        self.socket.settimeout(self.server.timeout)

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
