"""A connection's bytes, both ways: taken as they come, and waited for only when there is no other way.

The socket never blocks: one `recv` and one `send` are all that a small request takes, where a socket with a timeout
asks `poll` before each of them. Waiting is done here, with the time that is left, and said first (`waiting`).
"""

from __future__ import annotations

import select
import ssl
import time
from typing import Any

from davbridge.waiting import about_to_wait, waited

_TAKEN = 64 * 1024
_BLOCK = 256 * 1024
_END_OF_HEAD = b"\r\n\r\n"


class Stream:
    """The reader and the writer of one socket, plain or TLS. Not for two threads at a time.

    `timeout`: seconds that each read or write may wait.
    """

    def __init__(self, sock: Any, timeout: float) -> None:
        sock.settimeout(0)
        self._sock = sock
        self._encrypted = isinstance(sock, ssl.SSLSocket)
        self._data = b""
        self._at = 0
        self._timeout = timeout
        self._until: float | None = None

    def hurry(self, seconds: float | None) -> None:
        """Let all that is read from now on together have `seconds`, however regularly a byte comes; None: no longer."""
        self._until = None if seconds is None else time.monotonic() + seconds

    def fill(self) -> bool:
        """Take what has come, without waiting; False at the end of what the client sends.

        Raises:
            OSError: the connection is broken.
        """
        try:
            data = self._sock.recv(_TAKEN)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        if not data:
            return False
        self._keep(data)
        return True

    @property
    def buffered(self) -> int:
        """Bytes that were taken from the socket and not read yet."""
        return len(self._data) - self._at

    @property
    def pending(self) -> bool:
        """Whether TLS holds decrypted bytes, of which the selector knows nothing."""
        return self._encrypted and self._sock.pending() > 0

    def has_head(self) -> bool:
        """Whether a whole header section has come."""
        return self._data.find(_END_OF_HEAD, self._at) >= 0

    def read_head(self) -> bytes:
        """The lines up to the empty one, which is read and left out. Only when `has_head`."""
        return self._take(self._data.index(_END_OF_HEAD, self._at) + len(_END_OF_HEAD))[: -len(_END_OF_HEAD)]

    def read(self, size: int, /) -> bytes:
        """`size` bytes, fewer only at the end of what the client sends.

        Raises:
            TimeoutError: nothing has come in time.
            OSError: the connection is broken.
        """
        held = self._take(min(self._at + size, len(self._data)))
        if len(held) == size:
            return held
        parts = [held] if held else []
        missing = size - len(held)
        while missing > 0:
            data = self._receive(min(missing, _BLOCK))
            if not data:
                break
            parts.append(data)
            missing -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readline(self, size: int, /) -> bytes:
        """Up to and with the next line feed; without one after `size` bytes, and at the end. Raises as `read`."""
        while True:
            end = self._data.find(b"\n", self._at, self._at + size)
            if end >= 0 or self.buffered >= size:
                return self.read(end + 1 - self._at if end >= 0 else size)
            data = self._receive(_TAKEN)
            if not data:
                return self.read(self.buffered)
            self._keep(data)

    def write(self, data: bytes) -> int:
        """Send all of `data`.

        Raises:
            TimeoutError: the client takes nothing for the whole timeout.
            OSError: the client is gone.
        """
        sent = self._send(data)
        if sent < len(data):
            view = memoryview(data)
            while sent < len(data):
                sent += self._send(view[sent:])
        return sent

    def close(self) -> None:
        """The connection closes the socket."""

    def wait(self, event: int) -> None:
        """Wait until the socket is ready for `event`, `select.POLLIN` or `select.POLLOUT`.

        Raises:
            TimeoutError.
        """
        about_to_wait()
        left = self._timeout
        if self._until is not None and event == select.POLLIN:
            left = min(left, self._until - time.monotonic())
        poll = select.poll()
        poll.register(self._sock, event)
        if left <= 0 or not poll.poll(left * 1000):
            # the words by which cheroot knows it
            raise TimeoutError("timed out")
        waited()

    def _receive(self, size: int) -> bytes:
        while True:
            try:
                data: bytes = self._sock.recv(size)
            except (BlockingIOError, ssl.SSLWantReadError):
                self.wait(select.POLLIN)
            except ssl.SSLWantWriteError:
                self.wait(select.POLLOUT)
            else:
                return data

    def _send(self, data: bytes | memoryview) -> int:
        while True:
            try:
                return int(self._sock.send(data))
            except (BlockingIOError, ssl.SSLWantWriteError):
                self.wait(select.POLLOUT)
            except ssl.SSLWantReadError:
                self.wait(select.POLLIN)

    def _keep(self, data: bytes) -> None:
        self._data = self._data[self._at :] + data if self.buffered else data
        self._at = 0

    def _take(self, end: int) -> bytes:
        taken = self._data[self._at : end]
        if end == len(self._data):
            self._data, self._at = b"", 0
        else:
            self._at = end
        return taken
