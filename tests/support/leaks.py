"""Watches every test for secrets of the emulator's in what others may see (law 8; T17).

Client secrets, tokens, codes and pre-authenticated addresses that the emulator gives out hold a mark. Where the mark
turns up - in a log line at any level, as it leaves the bridge's handler; in an answer of the bridge; in what a command
prints or a served bridge logs; in the message of an error - the test that runs fails. One exception: the Location of a
redirected download is a client's own.
"""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from davbridge.emulator.world import MARK
from davbridge.errors import BridgeError
from davbridge.redact import RedactingFilter

WATCHED = ("davbridge", "msal", "urllib3", "wsgidav", "websocket", "requests", "cheroot")

found: list[str] = []
"""Where a secret was seen, since the test began."""


def look(text: str | bytes | None, where: str) -> None:
    """Note it when a secret is in `text`."""
    if text and (MARK.encode() if isinstance(text, bytes) else MARK) in text:  # type: ignore[operator]
        at = text.find(MARK.encode() if isinstance(text, bytes) else MARK)  # type: ignore[arg-type]
        found.append(f"{where}: …{text[max(0, at - 60) : at + 20]!r}…")


def look_at_answer(status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
    """An answer of the bridge to a DAV client."""
    for name, value in headers:
        if not (status == 302 and name.lower() == "location"):
            look(value, f"header {name} of an answer {status}")
    look(gzip.decompress(body) if body[:2] == b"\x1f\x8b" and status == 207 else body, f"body of an answer {status}")


class Watching(logging.Handler):
    """What the bridge's own handler would have written."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RedactingFilter())

    def handle(self, record: logging.LogRecord) -> bool:
        copied = logging.makeLogRecord(record.__dict__)
        if copied.name.startswith("davbridge"):
            look(copied.getMessage(), f"{copied.name}, before the filter")  # the filter is for what libraries let slip
        self.filter(copied)
        look(logging.Formatter().format(copied), f"log of {copied.name}")
        return True


@contextmanager
def watching() -> Iterator[None]:
    """For a whole session of tests: everything that libraries log at DEBUG, and the message of each error."""
    watch = Watching()
    is_enabled, call_handlers = logging.Logger.isEnabledFor, logging.Logger.callHandlers

    def enabled(self: logging.Logger, level: int) -> bool:
        return self.name.partition(".")[0] in WATCHED or is_enabled(self, level)

    def called(self: logging.Logger, record: logging.LogRecord) -> None:
        if self.name.partition(".")[0] in WATCHED:
            watch.handle(record)
        # nobody else sees that everything is on
        if record.levelno >= self.getEffectiveLevel():
            call_handlers(self, record)

    logging.Logger.isEnabledFor, logging.Logger.callHandlers = enabled, called  # type: ignore[method-assign]
    plain = BridgeError.__init__

    def watched(self: BridgeError, *arguments: Any) -> None:
        for argument in arguments:
            look(argument if isinstance(argument, str) else repr(argument), f"message of {type(self).__name__}")
        plain(self, *arguments)

    BridgeError.__init__ = watched  # type: ignore[method-assign, assignment]
    yield
    BridgeError.__init__ = plain  # type: ignore[method-assign]
    logging.Logger.isEnabledFor, logging.Logger.callHandlers = is_enabled, call_handlers  # type: ignore[method-assign]
