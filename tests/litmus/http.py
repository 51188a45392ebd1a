"""The suite `http`: Expect: 100-continue."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from tests.litmus.harness import Fail, Session, whole


def expect100(session: Session) -> None:
    """The server says `100 Continue`, or answers, before the body is sent."""
    parts = urlsplit(session.dav.base)
    head = (
        f"PUT {session.dav.path('expect100')} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: {session.dav.auth}\r\n"
        "Expect: 100-continue\r\nContent-Length: 100\r\n\r\n"
    )
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=20) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(4096)
        if answer.startswith(b"HTTP/1.1 100"):
            connection.sendall(bytes(100))
            answer = answer.partition(b"\r\n\r\n")[2] or connection.recv(4096)
    if not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.0 2")):
        raise Fail(f"PUT with Expect: 100-continue: {answer[:40]!r}")


SUITE = whole([("expect100", expect100)])
