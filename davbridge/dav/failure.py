"""Errors become answers here, and nowhere else (law 6).

A bearer of bad news tells the client a status that it understands: busy is 503 with Retry-After, a broken upstream 502,
an unknown outcome 504, and trouble with the Microsoft sign-in never 401, which would make clients throw away the
password of the bridge. A traceback never leaves the log.
"""

from __future__ import annotations

import logging
import secrets
from html import escape
from math import ceil

from davbridge import errors
from davbridge.dav.message import Headers, Response
from davbridge.dav.properties import xml_text
from davbridge.dav.refusal import Refusal

log = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[errors.BridgeError], int], ...] = (
    (errors.NotFound, 404),
    (errors.ParentNotFound, 409),
    (errors.AlreadyExists, 412),
    (errors.PreconditionFailed, 412),
    (errors.NameRefused, 403),
    (errors.BadPath, 400),
    (errors.Forbidden, 403),
    (errors.StaleToken, 403),
    (errors.Unsupported, 403),
    (errors.Locked, 423),
    (errors.TooLarge, 413),
    (errors.QuotaExceeded, 507),
    (errors.RangeNotSatisfiable, 416),
    (errors.BodyTruncated, 400),
    (errors.Busy, 503),
    (errors.BadUpstream, 502),
    (errors.UnknownOutcome, 504),
    (errors.ConfigError, 503),
)
_CONDITIONS = ((errors.QuotaExceeded, "quota-not-exceeded"), (errors.StaleToken, "valid-sync-token"))


def status_of(error: errors.BridgeError) -> int:
    """The status of an error of the tree below."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def answer(error: Exception) -> Response:
    """The response for anything that was raised while a request was handled."""
    if isinstance(error, Refusal):
        return _page(error.status, error.message, error.condition, error.hrefs, list(error.headers))
    if isinstance(error, errors.BridgeError):
        return _tree(error)
    number = secrets.token_hex(4)
    log.error("unexpected error %s", number, exc_info=error)
    return _page(500, f"an error of the bridge itself; its log has it as {number}")


def _tree(error: errors.BridgeError) -> Response:
    status = status_of(error)
    headers: Headers = []
    if isinstance(error, errors.Busy | errors.Locked) and error.retry_after:
        headers.append(("Retry-After", str(max(1, ceil(error.retry_after)))))
    if isinstance(error, errors.ConfigError):
        log.error("%s", error)
        return _page(503, "the bridge's configuration does not fit the Microsoft account", headers=headers)
    if isinstance(error, errors.RangeNotSatisfiable):
        headers.append(("Content-Range", f"bytes */{error.size}"))
    if isinstance(error, errors.BodyTruncated):
        # what is left of the body, if anything, cannot be told from a next request
        headers.append(("Connection", "close"))
    condition = next((name for kind, name in _CONDITIONS if isinstance(error, kind)), "")
    return _page(status, str(error), condition, headers=headers)


def _page(
    status: int, message: str, condition: str = "", hrefs: tuple[str, ...] = (), headers: Headers | None = None
) -> Response:
    """An XML body that DAV clients read (RFC 4918 §16) and a person can, too."""
    inner = "".join(f"<D:href>{escape(href)}</D:href>" for href in hrefs)
    element = f"<D:{condition}>{inner}</D:{condition}>" if condition else ""
    text = xml_text(message)
    body = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<D:error xmlns:D="DAV:" xmlns:b="urn:davbridge">{element}<b:message>{text}</b:message></D:error>\n'
    )
    content = ("Content-Type", "application/xml; charset=utf-8")
    return Response(status, [content, ("Cache-Control", "no-store"), *(headers or [])], [body.encode()])
