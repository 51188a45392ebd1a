"""Where Graph calls: `POST /.davbridge/notify/<name>`, in front of the sign-in, since Graph has no password (§5.2).

It must open nothing else: whatever is not exactly this path goes on to the gate, and what is, never does. A caller
learns nothing either: an unknown name is 404 as for anybody, and 202 says neither that a `clientState` was right nor
that there was one. It only says "look": a forged call could make the bridge poll once, if it knew a name.
"""

from __future__ import annotations

import hmac
import html
import json
import logging
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from davbridge.errors import BridgeError
from davbridge.push.table import SubscriptionTable
from davbridge.push.webhook import PLACE
from davbridge.redact import Secret

log = logging.getLogger(__name__)
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
_PATH = re.compile(re.escape(PLACE) + r"([A-Za-z0-9_-]{1,64})")
_LARGEST = 256 * 1024
_LONGEST_TOKEN = 2048
_AT_ONCE = 8
"""Calls at a time: a body that trickles in holds one of the server's threads."""


class NotifyEndpoint:
    """Middleware. `changed(name)` is called for a true notification: it must be quick, and may raise OSError."""

    def __init__(self, application: Application, table: SubscriptionTable, changed: Callable[[str], None]) -> None:
        self._application = application
        self._table = table
        self._changed = changed
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found = _PATH.fullmatch(str(environ.get("PATH_INFO", "")))
        if found is None:
            return self._application(environ, start_response)
        if not self._slots.acquire(blocking=False):
            return _answer(start_response, "503 Service Unavailable")
        try:
            status, text = self._handle(found[1], environ)
        except (BridgeError, OSError) as error:
            log.warning("a notification could not be taken: %s", error)  # Graph sends it again
            status, text = "503 Service Unavailable", ""
        finally:
            self._slots.release()
        return _answer(start_response, status, text)

    def _handle(self, name: str, environ: dict[str, Any]) -> tuple[str, str]:
        kept = self._table.get(name) if environ.get("REQUEST_METHOD") == "POST" else None
        if kept is None:
            return "404 Not Found", ""
        if (token := _token(str(environ.get("QUERY_STRING", "")))) is not None:
            plain = token.isprintable() and len(token) <= _LONGEST_TOKEN
            return ("200 OK", html.escape(token, quote=False)) if plain else ("400 Bad Request", "")
        body = _read(environ)
        if len(body) > _LARGEST:
            return "413 Content Too Large", ""
        if _is_graphs(body, kept.state):
            self._changed(name)
        return "202 Accepted", ""


def _token(query: str) -> str | None:
    try:
        return parse_qs(query, keep_blank_values=True, max_num_fields=10).get("validationToken", [None])[0]
    except ValueError:
        return None


def _read(environ: dict[str, Any]) -> bytes:
    """The body, or a byte more than is taken. Raises ConnectionError when the client breaks off."""
    parts: list[bytes] = []
    left = _LARGEST + 1
    while left > 0 and (part := environ["wsgi.input"].read(min(left, 65536))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _is_graphs(body: bytes, state: Secret) -> bool:
    """Whether one of the notifications has our `clientState`, compared in constant time."""
    try:
        notes = json.loads(body)["value"]
        told = [note.get("clientState") for note in notes]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    right = state.reveal().encode()
    return any(hmac.compare_digest(str(one).encode("utf-8", "replace"), right) for one in told)


def _answer(start_response: Any, status: str, text: str = "") -> Iterable[bytes]:
    body = text.encode()
    start_response(
        status,
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
        ],
    )
    return [body]
