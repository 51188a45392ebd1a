"""The head of a request, from bytes: what cannot be read in one way only is refused (RFC 9112 §3, §5)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_METHOD = re.compile(rb"[!#$%&'*+.^`|~0-9A-Z_-]+\Z")
_TARGET = re.compile(rb"[!\"$-~]+\Z")
_VERSION = re.compile(rb"HTTP/(\d)\.(\d)\Z")
_NAME = re.compile(rb"[!#$%&'*+.^`|~0-9A-Za-z_-]+\Z")
_ONLY_ONCE = {b"Content-Length", b"Transfer-Encoding", b"Host", b"Authorization", b"Destination", b"Expect"}
_MOST_KNOWN = 512


class Refused(ValueError):
    """A request that is answered with `status` and read no further."""

    def __init__(self, status: str, text: str = "") -> None:
        super().__init__(text)
        self.status = status


def bad(text: str) -> Refused:
    """400."""
    return Refused("400 Bad Request", text)


def lines_of(head: bytes) -> list[bytes]:
    """The lines of a head, without their ends. One empty line before it is forgiven (RFC 9112 §2.2).

    Raises:
        Refused: a line that ends otherwise than with CR LF, or a zero byte.
    """
    if head.startswith(b"\r\n"):
        head = head[2:]
    lines = head.split(b"\r\n")
    ends = len(lines) - 1
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        raise bad("A line does not end as a line must.")
    return lines


def first_line(line: bytes) -> tuple[bytes, bytes, bytes, str]:
    """Method, request target, the target's scheme (empty where it has none), and the version to answer with.

    Raises:
        Refused.
    """
    parts = line.split(b" ")
    version = _VERSION.match(parts[2]) if len(parts) == 3 else None
    if version is None:
        raise bad("The request line is malformed.")
    method, target, _ = parts
    if version[1] != b"1" or version[2] > b"1":
        raise Refused("505 HTTP Version Not Supported")
    if not _METHOD.match(method):
        raise bad("The method is malformed; methods are in capitals.")
    if not _TARGET.match(target):
        raise bad("The request target is malformed.")
    scheme = b""
    if target[:1] != b"/" or target[:2] == b"//":
        scheme = _scheme(method, target)
    return method, target, scheme, "HTTP/1.1" if version[2] == b"1" else "HTTP/1.0"


def _scheme(method: bytes, target: bytes) -> bytes:
    if target == b"*" and method == b"OPTIONS":
        return b""
    try:
        # half an IPv6 address, for one
        parts = urlsplit(target.decode())
    except ValueError:
        raise bad("The request target is malformed.") from None
    if target[:1] != b"/" and not (parts.scheme in ("http", "https") and parts.netloc):
        raise bad("The request target must be a path or a whole URL.")
    return parts.scheme.encode()


class Names:
    """Header names as they come -> in title case, and as WSGI's key. Checked once for each way of writing it."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[bytes, str] | None] = {}

    def __call__(self, name: bytes) -> tuple[bytes, str] | None:
        """None for a name with an underscore: WSGI would not tell it from one with a hyphen.

        Raises:
            Refused: it is no header name.
        """
        try:
            return self._known[name]
        except KeyError:
            return self._learn(name)

    def _learn(self, name: bytes) -> tuple[bytes, str] | None:
        if not _NAME.match(name):
            raise bad("A header is malformed.")
        title = name.title()
        key = title.decode().upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        known = None if b"_" in name else (title, key)
        if len(self._known) < _MOST_KNOWN:
            self._known[name] = known
        return known


_names = Names()


def read_headers(lines: list[bytes]) -> tuple[dict[bytes, bytes], dict[str, str]]:
    """All lines but the first, as headers in title case, and as the part of WSGI's environ that they make up.

    Raises:
        Refused: anything that two programs could read in two ways.
    """
    headers: dict[bytes, bytes] = {}
    environ: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon:
            raise bad("A header is malformed.")
        known = _names(name)
        if known is None:
            continue
        title, key = known
        value = value.strip(b" \t")
        if title in headers:
            if title in _ONLY_ONCE:
                raise bad(f"{title.decode()} was sent twice.")
            value = headers[title] + b", " + value
        headers[title] = value
        environ[key] = value.decode("latin-1")
    return headers, environ
