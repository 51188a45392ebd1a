"""One request: its head is read in one piece, its body as the application asks for it, and its answer is framed.

Strict, since two readings of one message are how requests are smuggled (facts: stack A12; RFC 9112 §6, §11.2).
"""

from __future__ import annotations

import re
import time
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote_to_bytes

from cheroot.server import HTTPRequest

from davbridge.edge.bodies import Chunked, KnownLength
from davbridge.edge.head import Refused, bad, first_line, lines_of, read_headers
from davbridge.precedence import PRECEDENCE

_DRAINED, _DRAIN_SECONDS = 64 * 1024, 1.0
"""Bytes of an unwanted body that are read so that the connection can be used again, if they come at once."""
_JOINED = 64 * 1024
"""Up to this size a block goes out together with the head."""
_QUOTED_SLASH = re.compile(rb"(?i)%2F")
_date = (0, b"")


class EdgeRequest(HTTPRequest):
    """cheroot's request, read and answered our way. `environ`: what the headers are in WSGI's."""

    def __init__(self, server: Any, conn: Any) -> None:
        super().__init__(server, conn)
        self.environ: dict[str, str] = {}
        self._waits_for_continue = False
        self._head = b""

    def parse_request(self) -> None:
        """Read and check the head. `ready` when it is one; else it has been refused."""
        self.started_request = True
        try:
            self._parse()
        except Refused as refused:
            self.close_connection = True
            # the rest may still be on its way: closing at once would reset the connection before it has read the answer
            self.conn.lingers = True
            self.simple_response(refused.status, str(refused))
            return
        self.ready = True

    def _parse(self) -> None:
        stream = self.conn.rfile
        head = stream.read_head() if stream.has_head() else None
        if head is None or len(head) > self.server.max_request_header_size:
            raise Refused("413 Request Entity Too Large", "The headers are too long.")
        lines = lines_of(head)
        self.method, self.uri, scheme, self.response_protocol = first_line(lines[0])
        self.request_protocol = lines[0][-8:]
        self.scheme = scheme or self.scheme
        self.inheaders, self.environ = read_headers(lines)
        self._check_framing()
        wanted = self.inheaders.get(b"Connection")
        tokens = {token.strip().lower() for token in wanted.split(b",")} if wanted else ()
        self.close_connection = b"close" in tokens or (
            self.response_protocol != "HTTP/1.1" and b"keep-alive" not in tokens
        )
        expect = self.inheaders.get(b"Expect")
        if expect and expect.lower() != b"100-continue":
            raise Refused("417 Expectation Failed")
        self._waits_for_continue = bool(expect) and self.response_protocol == "HTTP/1.1"

    def _check_framing(self) -> None:
        length, coding = self.inheaders.get(b"Content-Length"), self.inheaders.get(b"Transfer-Encoding")
        if length is not None and not (length.isdigit() and len(length) < 19):
            raise bad("The Content-Length is malformed.")
        if coding is not None:
            if length is not None:
                raise bad("Content-Length and Transfer-Encoding exclude each other.")
            if coding.lower() != b"chunked" or self.response_protocol != "HTTP/1.1":
                raise bad("The Transfer-Encoding is not supported.")
            self.chunked_read = True
        if self.response_protocol == "HTTP/1.1" and b"Host" not in self.inheaders:
            raise bad("The Host header is missing.")

    def split_target(self) -> tuple[bytes, bytes]:
        """The target's path, decoded except for slashes, and its query."""
        path, _, query = self.uri.partition(b"?")
        if not path.startswith(b"/"):  # a whole URL, whose scheme may be in capitals, or `*`
            path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
        if b"%" in path:
            path = b"%2F".join(map(unquote_to_bytes, _QUOTED_SLASH.split(path)))
        return path, query

    def respond(self) -> None:
        """Let the application answer."""
        before = self._continue if self._waits_for_continue else None
        if self.chunked_read:
            self.rfile = Chunked(self.conn.rfile, before)
        else:
            self.rfile = KnownLength(self.conn.rfile, int(self.inheaders.get(b"Content-Length", 0)), before)
        self.server.gateway(self).respond()
        self.ensure_headers_sent()
        if self.chunked_write:
            self._send(b"0\r\n\r\n")
        elif self._head:
            self._send(b"")

    def _continue(self) -> None:
        self._waits_for_continue = False
        self.conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def send_headers(self) -> None:
        """Decide on the framing and on whether the connection can be used again; the head goes out with the body."""
        names = {name.lower(): value for name, value in self.outheaders}
        status = int(self.status[:3])
        if names.get("connection") == "close" or status == 413 or not self.server.ready:
            self.close_connection = True
        lines = [f"HTTP/1.1 {self.status}\r\n", *(f"{name}: {value}\r\n" for name, value in self.outheaders)]
        if "content-length" not in names and status >= 200 and status not in (204, 205, 304):
            if self.response_protocol == "HTTP/1.1" and self.method != b"HEAD":
                self.chunked_write = True
                lines.append("Transfer-Encoding: chunked\r\n")
            else:
                self.close_connection = True
        if not self.close_connection and not self._drained():
            self.close_connection = True
        if self.close_connection and self._unread():
            # the client may still be sending: closing at once would reset it before it has read the answer
            self.conn.lingers = True
        if "connection" not in names:
            if self.close_connection:
                lines.append("Connection: close\r\n")
            elif self.response_protocol != "HTTP/1.1":
                lines += ["Connection: Keep-Alive\r\n", f"Keep-Alive: timeout={self.server.timeout}\r\n"]
        text = "".join(lines)
        if text.count("\n") != len(lines) or text.count("\r") != len(lines) or "\0" in text:
            self.sent_headers = False
            raise ValueError("a header of the answer holds a line's end")
        end = b"\r\n" if "date" in names else b"Date: " + _now() + b"\r\n\r\n"
        self._head = text.encode("latin-1") + self.server.server_line + end

    def write(self, chunk: bytes) -> None:
        """Send a block of the body; for HEAD there is none, whatever the application has made (RFC 9110 §9.3.2).

        It would be taken for the beginning of the next answer.
        """
        if self.method == b"HEAD":
            return
        PRECEDENCE.move(len(chunk))
        if self.chunked_write:
            chunk = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        self._send(chunk)

    def _send(self, data: bytes) -> None:
        """One `send` for a small answer, which is then one packet, too."""
        head, self._head = self._head, b""
        if head and len(data) > _JOINED:
            self.conn.wfile.write(head)
            head = b""
        self.conn.wfile.write(head + data if head else data)

    def _unread(self) -> bool:
        return not self.rfile.finished if self.chunked_read else self.rfile.remaining > 0

    def _drained(self) -> bool:
        """Get rid of what is left of a small body; False when the rest is too much, or is never sent."""
        if not self._unread():
            return True
        if self._waits_for_continue:
            return False
        self.conn.rfile.hurry(_DRAIN_SECONDS)
        try:
            if not self.chunked_read:
                if self.rfile.remaining <= _DRAINED:
                    self.rfile.read()
                return not self.rfile.remaining
            self.rfile.read(_DRAINED)
        except OSError:
            return False
        finally:
            self.conn.rfile.hurry(None)
        return bool(self.rfile.finished)


def _now() -> bytes:
    """The Date of this second."""
    global _date  # noqa: PLW0603 - a copy for all threads; two that renew it write the same
    second = int(time.time())
    if _date[0] != second:
        _date = second, formatdate(second, usegmt=True).encode()
    return _date[1]
