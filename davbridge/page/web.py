"""A request to the page and its answer: cookies, form and query in; headers that let nobody in between out.

The policy allows the page's own style and its own forms, nothing else: no script, no picture, no other site.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

PLACE = "/.davbridge/"
SESSION, VISITOR = "davbridge", "davbridge-form"
"""Cookies: of somebody who has signed in, and of somebody who is about to."""
_LARGEST_FORM = 16 * 1024

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Refused(Exception):
    """The request cannot be taken; `status` and a sentence for people."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Request:
    """One request below `PLACE`. `public_url` is the address that people use, if it is known."""

    environ: dict[str, Any]
    public_url: str = ""

    @property
    def method(self) -> str:
        return str(self.environ["REQUEST_METHOD"])

    @property
    def path(self) -> str:
        """What follows `PLACE`."""
        return str(self.environ["PATH_INFO"])[len(PLACE) :]

    @property
    def host(self) -> str:
        return str(self.environ.get("HTTP_HOST", ""))

    @property
    def address(self) -> str:
        return str(self.environ.get("REMOTE_ADDR", ""))

    @property
    def base(self) -> str:
        """`https://host` as the browser has it."""
        if self.public_url:
            scheme, _, rest = self.public_url.partition("://")
            return f"{scheme}://{rest.partition('/')[0]}"
        return f"{self.environ.get('wsgi.url_scheme', 'http')}://{self.host}"

    @property
    def is_secure(self) -> bool:
        """Whether the browser came by https, as far as we can know."""
        if self.environ.get("wsgi.url_scheme") == "https":
            return True
        return self.base.startswith("https://") and self.base.partition("://")[2].lower() == self.host.lower()

    @cached_property
    def query(self) -> dict[str, str]:
        return _fields(str(self.environ.get("QUERY_STRING", "")))

    @cached_property
    def cookies(self) -> dict[str, str]:
        pairs = (part.partition("=") for part in str(self.environ.get("HTTP_COOKIE", "")).split(";"))
        return {name.strip(): value.strip() for name, _, value in pairs}

    def cookie(self, name: str) -> str:
        return self.cookies.get(self.cookie_name(name), "")

    def cookie_name(self, name: str) -> str:
        """Over https with the prefix that browsers give to such cookies only (RFC 6265bis §4.1.3)."""
        return f"__Secure-{name}" if self.is_secure else name

    @cached_property
    def form(self) -> dict[str, str]:
        """Raises: Refused; ConnectionError when the client breaks off."""
        length = str(self.environ.get("CONTENT_LENGTH") or "0")
        if self.environ.get("wsgi.input_terminated"):
            raise Refused(411, "The form has no length.")
        if not length.isdigit() or int(length) > _LARGEST_FORM:
            raise Refused(413, "The form is too large.")
        kind = str(self.environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise Refused(415, "This is no form of this page.")
        return _fields(self.environ["wsgi.input"].read(int(length)).decode("utf-8", "replace"))


def _fields(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=50, errors="replace"))
    except ValueError:
        raise Refused(400, "There are too many fields.") from None


@dataclass
class Response:
    """`framed`: our own pages may show it inside; `frames`: it shows one of ours inside."""

    status: int
    body: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    framed: bool = False
    frames: bool = False

    def set_cookie(self, request: Request, name: str, value: str) -> None:
        """Empty takes it away. Of the browser's session, to this page alone, and never with what other sites begin."""
        parts = [f"{request.cookie_name(name)}={value}", f"Path={PLACE}", "HttpOnly", "SameSite=Strict"]
        parts += ["Secure"] if request.is_secure else []
        parts += [] if value else ["Max-Age=0"]
        self.headers.append(("Set-Cookie", "; ".join(parts)))

    def send(self, style: str, start_response: Any) -> Iterable[bytes]:
        body = self.body.encode("utf-8", "replace")
        line = f"{self.status} {HTTPStatus(self.status).phrase}"
        fixed = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", _policy(style, framed=self.framed, frames=self.frames)),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "SAMEORIGIN" if self.framed else "DENY"),
            # not `no-referrer`: browsers would send `Origin: null` with our own forms
            ("Referrer-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ]
        start_response(line, [*fixed, *self.headers])
        return [body]


def redirect(place: str) -> Response:
    """303: to be got, whatever was sent."""
    return Response(303, headers=[("Location", PLACE + place)])


def _policy(style: str, *, framed: bool, frames: bool) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    parts: Mapping[str, str] = {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-src": "'self'" if frames else "'none'",
        "frame-ancestors": "'self'" if framed else "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in parts.items())
