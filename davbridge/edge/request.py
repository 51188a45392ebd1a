"""One request on the wire: strict about framing, since two readings of one message are how requests are smuggled.

Facts: stack A12; RFC 9112 §6, §11.2.
"""

from __future__ import annotations

import re
from typing import Any

from cheroot.server import HTTPRequest

from davbridge.edge.bodies import Chunked, KnownLength

_NAME = re.compile(rb"[!#$%&'*+.^`|~0-9A-Za-z-]+\Z")
_BAD_VALUE = re.compile(rb"[\x00\r\n]")
_ONLY_ONCE = {b"Content-Length", b"Transfer-Encoding", b"Host", b"Authorization", b"Destination", b"Expect"}
_DRAINED, _DRAIN_SECONDS = 64 * 1024, 1.0
"""Bytes of an unwanted body that are read so that the connection can be used again, if they come at once."""


def read_headers(source: Any, headers: dict[bytes, bytes]) -> None:
    """Read the header section into `headers`, names in title case.

    Names with an underscore are dropped: WSGI would not tell them from those with a hyphen.

    Raises:
        ValueError: anything that two programs could read in two ways.
    """
    while True:
        line = source.readline()
        if line == b"\r\n":
            return
        if not line.endswith(b"\r\n"):
            raise ValueError("The headers end in the middle of a line.")
        name, colon, value = line[:-2].partition(b":")
        value = value.strip(b" \t")
        if b"_" in name:
            continue
        if not colon or not _NAME.match(name) or _BAD_VALUE.search(value):
            raise ValueError("A header is malformed.")
        key = name.title()
        if key in headers:
            if key in _ONLY_ONCE:
                raise ValueError(f"{key.decode()} was sent twice.")
            value = headers[key] + b", " + value
        headers[key] = value


class EdgeRequest(HTTPRequest):
    """cheroot's request with our reading of headers and bodies."""

    def __init__(self, server: Any, conn: Any, proxy_mode: bool = True, strict_mode: bool = True) -> None:
        # proxy mode: absolute request targets are taken, as RFC 9112 §3.2.2 demands of every server
        super().__init__(server, conn, proxy_mode=proxy_mode, strict_mode=strict_mode)
        self._waits_for_continue = False

    def read_request_headers(self) -> bool:
        """Read and check the headers; answer 400 and close for what is not clear."""
        try:
            read_headers(self.rfile, self.inheaders)
            self._check_framing()
        except ValueError as error:
            self.close_connection = True
            self.simple_response("400 Bad Request", str(error))
            return False
        self.conn.take_time()
        tokens = {token.strip().lower() for token in self.inheaders.get(b"Connection", b"").split(b",")}
        self.close_connection = b"close" in tokens or (
            self.response_protocol != "HTTP/1.1" and b"keep-alive" not in tokens
        )
        expect = self.inheaders.get(b"Expect", b"").lower()
        if expect and expect != b"100-continue":
            self.close_connection = True
            self.simple_response("417 Expectation Failed")
            return False
        self._waits_for_continue = expect == b"100-continue" and self.response_protocol == "HTTP/1.1"
        return True

    def _check_framing(self) -> None:
        length, coding = self.inheaders.get(b"Content-Length"), self.inheaders.get(b"Transfer-Encoding")
        if length is not None and not (length.isdigit() and len(length) < 19):
            raise ValueError("The Content-Length is malformed.")
        if coding is not None and length is not None:
            raise ValueError("Content-Length and Transfer-Encoding exclude each other.")
        if coding is not None and (coding.lower() != b"chunked" or self.response_protocol != "HTTP/1.1"):
            raise ValueError("The Transfer-Encoding is not supported.")
        if self.response_protocol == "HTTP/1.1" and b"Host" not in self.inheaders:
            raise ValueError("The Host header is missing.")
        self.chunked_read = coding is not None

    def respond(self) -> None:
        """Let the application answer."""
        before = self._continue if self._waits_for_continue else None
        if self.chunked_read:
            self.rfile = Chunked(self.conn.rfile, before)
        else:
            self.rfile = KnownLength(self.conn.rfile, int(self.inheaders.get(b"Content-Length", 0)), before)
        self.server.gateway(self).respond()
        if self.ready:
            self.ensure_headers_sent()
        if self.chunked_write:
            self.conn.wfile.write(b"0\r\n\r\n")

    def _continue(self) -> None:
        self._waits_for_continue = False
        self.conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def send_headers(self) -> None:
        """Decide whether the connection can be used again, then send the headers."""
        if (b"Connection", b"close") in self.outheaders:
            self.close_connection = True
        if not self.close_connection and not self._drained():
            self.close_connection = True
        if self.close_connection and self._unread():
            # the client may still be sending: closing at once would reset it before it has read the answer
            self.conn.lingers = True
        super().send_headers()

    def read_request_line(self) -> bool:
        """Read the first line; 400 for a target that is no URI."""
        try:
            return bool(super().read_request_line())  # type: ignore[no-untyped-call] # cheroot types it partly
        except ValueError:  # half an IPv6 address
            self.close_connection = True
            self.simple_response("400 Bad Request", "Malformed Request-URI")
            return False

    def write(self, chunk: bytes) -> None:
        """Send a block of the body; for HEAD there is none, whatever the application has made (RFC 9110 §9.3.2).

        It would be taken for the beginning of the next answer.
        """
        if self.method != b"HEAD":
            super().write(chunk)

    def simple_response(self, status: Any, msg: str = "") -> None:
        """cheroot's own answers, to what it could not read: the rest of that may still be on its way."""
        if str(status)[:3] in ("400", "413", "414", "417"):
            self.conn.lingers = True
        super().simple_response(status, msg)

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
            self.conn.take_time()
        return bool(self.rfile.finished)
