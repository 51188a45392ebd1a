"""The server's half of WebSocket (RFC 6455): the handshake, and frames over a connection that is already open.

One thread owns the connection and does both directions, since a TLS connection must not be read and written at once.
"""

from __future__ import annotations

import base64
import hashlib
import select
import socket
import ssl
import struct

from davbridge.emulator.httpd import Request, Response

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_LARGEST = 1 << 20
_SHORT, _LONG = 126, 127
_SECONDS = 30.0


class Closed(Exception):
    """The connection is over."""


def accept(request: Request) -> Response | None:
    """The 101 for an opening handshake; None for a request that is none (§4.2.1 of the RFC)."""
    upgrade = request.headers.get("upgrade", "").lower()
    tokens = {token.strip().lower() for token in request.headers.get("connection", "").split(",")}
    key = request.headers.get("sec-websocket-key", "")
    try:
        good = len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        good = False
    if request.method != "GET" or upgrade != "websocket" or "upgrade" not in tokens or not good:
        return None
    if request.headers.get("sec-websocket-version") != "13":
        return Response(426, {"Sec-WebSocket-Version": "13"})
    # the RFC wants SHA-1 here; it protects nothing
    answer = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()  # noqa: S324
    return Response(101, {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": answer})


class WebSocket:
    """Text messages over a connection; pings are answered, fragments put together, and breaches end it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._kind = _CONTINUATION
        connection.settimeout(_SECONDS)

    def send(self, text: str) -> None:
        """Raises OSError when the peer is gone."""
        self._send(_TEXT, text.encode())

    def receive(self, seconds: float) -> str | None:
        """The next message; None if there is none within `seconds`.

        Raises:
            Closed: the peer has closed, or has broken the protocol.
        """
        while True:
            if (frame := self._frame()) is None:
                if not self._fill(seconds):
                    return None
                continue
            if (message := self._take(*frame)) is not None:
                return message

    def close(self, code: int = 1000) -> None:
        """Say so, and wait for nothing."""
        self._send(_CLOSE, struct.pack("!H", code))

    def _fail(self, code: int) -> Closed:
        self.close(code)
        return Closed(str(code))

    def _fill(self, seconds: float) -> bool:
        pending = self._connection.pending() if isinstance(self._connection, ssl.SSLSocket) else 0
        if not pending and not select.select([self._connection], [], [], seconds)[0]:
            return False
        data = self._connection.recv(1 << 16)
        if not data:
            raise Closed
        self._buffer += data
        return True

    def _frame(self) -> tuple[bool, int, bytes] | None:
        """A whole frame out of the buffer: whether it is the last of its message, its opcode, its unmasked payload."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        final, reserved, opcode = bool(buffer[0] & 0x80), buffer[0] & 0x70, buffer[0] & 0x0F
        masked, length, start = buffer[1] & 0x80, buffer[1] & 0x7F, 2
        if reserved or not masked or (opcode >= _CLOSE and (not final or length >= _SHORT)):
            raise self._fail(1002)  # clients must mask, nobody has agreed on extensions, control frames are small
        wide = {_SHORT: 2, _LONG: 8}.get(length, 0)
        if len(buffer) < start + wide + 4:
            return None
        if wide:
            length = int.from_bytes(buffer[start : start + wide], "big")
        start += wide
        if length > _LARGEST:
            raise self._fail(1009)
        mask, start = bytes(buffer[start : start + 4]), start + 4
        if len(buffer) < start + length:
            return None
        raw = bytes(buffer[start : start + length])
        del buffer[: start + length]
        stream = int.from_bytes(raw, "big") ^ int.from_bytes((mask * (length // 4 + 1))[:length], "big")
        return final, opcode, stream.to_bytes(length, "big")

    def _take(self, final: bool, opcode: int, payload: bytes) -> str | None:
        """A message if the frame completes one."""
        if opcode == _CLOSE:
            self._send(_CLOSE, payload[:2])
            raise Closed
        if opcode == _PING:
            self._send(_PONG, payload)
            return None
        if opcode == _PONG:
            return None
        if opcode not in (_CONTINUATION, _TEXT, _BINARY) or (opcode == _CONTINUATION) != bool(self._kind):
            raise self._fail(1002)
        self._kind = opcode or self._kind
        self._parts.append(payload)
        if sum(map(len, self._parts)) > _LARGEST:
            raise self._fail(1009)
        if not final:
            return None
        whole, kind = b"".join(self._parts), self._kind
        self._parts, self._kind = [], _CONTINUATION
        if kind == _BINARY:
            raise self._fail(1003)
        try:
            return whole.decode()
        except UnicodeDecodeError:
            raise self._fail(1007) from None

    def _send(self, opcode: int, payload: bytes) -> None:
        length = len(payload)
        if length < _SHORT:
            head = struct.pack("!BB", 0x80 | opcode, length)
        elif length < 1 << 16:
            head = struct.pack("!BBH", 0x80 | opcode, _SHORT, length)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, _LONG, length)
        self._connection.sendall(head + payload)
