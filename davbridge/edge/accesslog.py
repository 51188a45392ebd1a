"""One line for each request, with its outcome; queries and credentials are never written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from davbridge.clock import Clock

log = logging.getLogger("davbridge.access")
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class AccessLog:
    """Middleware around everything."""

    def __init__(self, application: Application, clock: Clock) -> None:
        self._application = application
        self._clock = clock

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        begin = self._clock.monotonic()
        status = "-"

        def remember(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status
            status = line.split(" ", 1)[0]
            return start_response(line, headers, exc_info)

        body = self._application(environ, remember)
        if not log.isEnabledFor(logging.INFO):
            return body
        return _Logged(body, lambda sent, whole: self._write(environ, status, sent, whole, begin))

    def _write(self, environ: dict[str, Any], status: str, sent: int, whole: bool, begin: float) -> None:
        path = environ.get("REQUEST_URI", "").partition("?")[0]
        user, address = environ.get("davbridge.user") or "-", environ.get("REMOTE_ADDR") or "-"
        seconds = self._clock.monotonic() - begin
        method = environ.get("REQUEST_METHOD", "-")
        log.handle(
            _Record(
                f"{address} {user} {method} {path[:500]} {status} {sent} bytes {seconds:.3f} s"
                f"{'' if whole else ' (cut)'}"
            )
        )


class _Record(logging.LogRecord):
    """A finished line. Python's own looks for thread, process and source of each: 5 µs for what is known of all."""

    _COMMON = vars(logging.LogRecord(log.name, logging.INFO, __file__, 0, "", (), None))

    def __init__(self, text: str) -> None:
        created = time.time()
        self.__dict__.update(self._COMMON, msg=text, created=created, msecs=created % 1 * 1000)


class _Logged:
    """Counts what goes out, and reports when the server closes it."""

    def __init__(self, body: Iterable[bytes], report: Callable[[int, bool], None]) -> None:
        self._body = body
        self._report = report
        self._sent = 0
        self._whole = False

    def __iter__(self) -> Iterator[bytes]:
        for block in self._body:
            self._sent += len(block)
            yield block
        self._whole = True

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._report(self._sent, self._whole)
