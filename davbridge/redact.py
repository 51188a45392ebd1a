"""Secrets that cannot be printed, and a log filter that removes the ones that got away (law 8).

`Secret` wraps tokens and pre-authenticated URLs; only the module that sends them calls `reveal`. `RedactingFilter` is
put on the root handler by `app`: it is the second line of defence, for what libraries log (urllib3 at DEBUG prints
whole URLs).
"""

from __future__ import annotations

import logging
import re
from urllib.parse import urlsplit


class Secret:
    """A string that `str`, `repr` and format show as `***`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself: for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))


_PATTERNS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{10,}(\.[A-Za-z0-9_-]*)*"), "***"),
    (re.compile(r"((?:https?|wss?)://[^\s\"'<>?]+)\?[^\s\"'<>]+"), r"\1?***"),
    # urllib3 logs and words its errors with host and path apart; the path of an upload session may be all its secret
    (re.compile(r"(\"[A-Z]+ )/\S*( HTTP/)"), r"\1/***\2"),
    (re.compile(r"(with url: )\S+"), r"\1***"),
    (re.compile(r"(\s/[^\s\"'<>?]*)\?[^\s\"'<>]+"), r"\1?***"),
    (
        re.compile(
            r"([\"']?(?:access_token|refresh_token|client_secret|client_assertion|code_verifier|device_code|id_token|code)"
            r"[\"']?\s*[=:]\s*[\"']?)[^\s&\"',}]+"
        ),
        r"\1***",
    ),
)
_SIGNS = ("bearer", "basic", "eyj", "?", "token", "secret", "code", "assertion", "http/", "with url")
"""What is in every text that one of the patterns matches, in lower case."""


def redact(text: str) -> str:
    """Remove bearer tokens, JWTs, token form fields and the query of every URL from `text`."""
    lowered = text.lower()
    if not any(map(lowered.__contains__, _SIGNS)):
        return text  # nearly all lines: one a request
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def origin(url: str) -> str:
    """`https://host` of a URL: what may be logged of a pre-authenticated one."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or '?'}"


class RedactingFilter(logging.Filter):
    """Rewrites each record's finished message, and its traceback, through `redact`; control characters are escaped."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = redact(record.getMessage())
        record.msg = message if message.isprintable() else message.translate(_CONTROL)
        record.args = ()
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        return True


_CONTROL = {code: f"\\x{code:02x}" for code in range(32)}
