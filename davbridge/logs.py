"""Where log lines go: to standard error, without secrets, and many in one write where many come.

A line a request is a third of what a small request costs, when each is a system call of its own.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import TextIO

from davbridge.redact import RedactingFilter

_SECONDS = 0.1
_MOST_LINES = 200


_Kept = tuple[float, int, str, str, str]
"""What our lines show of a record: created, levelno, levelname, name, msg."""


class LineHandler(logging.Handler):
    """Writes whole lines: at once from WARNING on, else within a tenth of a second, with all that came meanwhile."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: list[str | _Kept] = []
        self._record = logging.makeLogRecord({})
        """The one in which what is kept becomes a record again, under our lock."""
        self._some = threading.Event()
        self._end = threading.Event()
        threading.Thread(target=self._write_on, name="log", daemon=True).start()

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record. One that says all that it will ever say becomes a line when it is written, among many.

        That takes a third of the time that it takes between two pieces of other work, and most lines are such. Until
        then only what will be shown is kept: hundreds of whole records would push everything else out of the CPU's
        cache, 8 µs a request.
        """
        final = isinstance(record.msg, str) and not (record.args or record.exc_info or record.stack_info)
        if not final or record.levelno >= logging.WARNING:
            return bool(super().handle(record))
        self.acquire()
        try:
            self._take((record.created, record.levelno, record.levelname, record.name, record.msg))
        finally:
            self.release()
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record (logging calls this with our lock held)."""
        self._take(self._line(record))
        if record.levelno >= logging.WARNING:
            self.flush()

    def _take(self, line: str | _Kept) -> None:
        self._lines.append(line)
        if len(self._lines) >= _MOST_LINES:
            self.flush()
        elif not self._some.is_set():
            self._some.set()

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record) + "\n"
        except Exception:
            self.handleError(record)
            return ""

    def flush(self) -> None:
        """Write what is there."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            if lines:
                self._stream.write("".join(map(self._written, lines)))
                self._stream.flush()
        except (OSError, ValueError):
            return  # nobody reads any more, or the disk is full: no reason to fail a request
        finally:
            self.release()

    def _written(self, line: str | _Kept) -> str:
        if isinstance(line, str):
            return line
        record = self._record
        record.created, record.levelno, record.levelname, record.name, record.msg = line
        record.msecs = record.created % 1 * 1000
        return self._line(record) if self.filter(record) else ""

    def _write_on(self) -> None:
        while not self._end.is_set():
            self._some.wait()
            self._end.wait(_SECONDS)
            self._some.clear()
            self.flush()

    def close(self) -> None:
        """Write what is left, and end."""
        self._end.set()
        self._some.set()
        self.flush()
        super().close()


class _Formatter(logging.Formatter):
    """Python's, with each second written once."""

    _second = (-1, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        second = int(record.created)
        if self._second[0] != second:
            self._second = second, time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        return f"{self._second[1]},{int(record.msecs):03}"


def configure_logging(level: int = logging.INFO, who: str = "") -> None:
    """Log lines to standard error, each through the filter that removes secrets. `who` stands in each of them."""
    handler = LineHandler(sys.stderr)
    handler.addFilter(RedactingFilter())
    # systemd's journal has its own clock
    stamp = "" if os.environ.get("JOURNAL_STREAM") else "%(asctime)s "
    handler.setFormatter(_Formatter(f"{stamp}%(levelname)s {who and who + ' '}%(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # what no line of ours shows takes half of a line's time (Python's logging HOWTO, Optimization)
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for noisy in ("wsgidav", "urllib3", "msal", "websocket"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
