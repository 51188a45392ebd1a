"""One connection: a TLS handshake that stops nobody, one request after the other, and an end that the peer reads."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from typing import Any

from cheroot.server import HTTPConnection

from davbridge.edge.request import EdgeRequest
from davbridge.edge.stream import Stream
from davbridge.precedence import PRECEDENCE
from davbridge.waiting import begin_moment

_LINGER_SECONDS, _LINGER_IDLE_SECONDS, _LINGER_BYTES = 5.0, 0.5, 256 << 20


class EdgeConnection(HTTPConnection):
    """A connection as the crew has it. `lingers`: the client may still be sending when we close."""

    RequestHandlerClass = EdgeRequest

    def __init__(self, server: Any, sock: Any) -> None:
        self.rfile: Stream
        stream = Stream(sock, server.timeout)
        super().__init__(server, sock, lambda *_: stream)
        self.lingers = False
        self._unwanted: int | None = None
        """While we linger: bytes that may still come."""
        self._shaken = not isinstance(sock, ssl.SSLSocket)
        self._begun = not self._shaken
        self._since = self._heard = time.monotonic()
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.opened(self)

    def fileno(self) -> int:
        """For the selector."""
        return int(self.socket.fileno())

    def advance(self) -> bool:
        """Answer what has come, waiting for nothing before a whole header is there; whether the connection stays open.

        So who connects and says nothing, or one letter a minute, holds a file and no thread (facts: stack B5).
        """
        stream = self.rfile
        try:
            if self._unwanted is not None:
                return self._discard()
            if not self._shaken:
                if not self._shake():
                    return True
                begin_moment()  # what came was the handshake
            while True:
                if not stream.fill():
                    return False
                while stream.has_head() or stream.buffered >= self.server.max_request_header_size:
                    if not self._answer():
                        return self.lingers and self._linger()
                    if stream.buffered:
                        begin_moment()  # the next one may have come since
                if not stream.pending:
                    break
        except OSError:
            return False
        begun = stream.buffered > 0
        if not (begun and self._begun):
            self._since = time.monotonic()
        self._begun = begun
        return True

    def _answer(self) -> bool:
        PRECEDENCE.begin()
        try:
            return bool(self.communicate())  # type: ignore[no-untyped-call] # cheroot types it partly
        finally:
            PRECEDENCE.end()

    def _shake(self) -> bool:
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self.rfile.wait(select.POLLOUT)
            return False
        self._shaken = True
        return True

    def _linger(self) -> bool:
        """The client may still be sending: closing at once would reset the connection before it has read our answer."""
        self.socket.shutdown(socket.SHUT_WR)
        self._unwanted = _LINGER_BYTES
        self._since = time.monotonic()
        return self._discard()

    def _discard(self) -> bool:
        self._heard = time.monotonic()
        try:
            while self._unwanted and (data := self.socket.recv(65536)):
                self._unwanted = max(0, self._unwanted - len(data))
        except BlockingIOError:
            return True
        return False

    def overdue(self, now: float) -> bool:
        """Whether nothing has come for the server's timeout, or the header has been on its way for too long."""
        if self._unwanted is not None:
            return now - self._since > _LINGER_SECONDS or now - self._heard > _LINGER_IDLE_SECONDS
        return bool(now - self._since > (self.server.header_seconds if self._begun else self.server.timeout))

    def close(self) -> None:
        """Close at once."""
        self.server.closed(self)
        with contextlib.suppress(OSError):
            super().close()
