"""Log lines on their way to standard error."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterator

import pytest

from davbridge.logs import LineHandler
from davbridge.redact import RedactingFilter


class Counting(io.StringIO):
    """Counts writes; breaks when told to."""

    writes = 0
    broken = False

    def write(self, text: str, /) -> int:
        if self.broken:
            raise BrokenPipeError
        self.writes += 1
        return super().write(text)


@pytest.fixture
def stream() -> Counting:
    """What is written to."""
    return Counting()


@pytest.fixture
def log(stream: Counting) -> Iterator[logging.Logger]:
    """A logger of our own, on the handler."""
    logger = logging.Logger("lines", logging.INFO)
    handler = LineHandler(stream)
    logger.addHandler(handler)
    yield logger
    handler.close()


def test_many_lines_are_one_write(log: logging.Logger, stream: Counting) -> None:
    """They come within a moment, whole and in order, with far fewer writes than lines."""
    for number in range(150):
        log.info("line %d", number)
    end = time.monotonic() + 5
    while "line 149" not in stream.getvalue() and time.monotonic() < end:
        time.sleep(0.01)
    assert stream.getvalue().splitlines() == [f"line {number}" for number in range(150)]
    assert stream.writes <= 15


def test_lines_of_all_kinds_keep_their_order(log: logging.Logger, stream: Counting) -> None:
    """One that is made at once, since its arguments may change, does not overtake one that is made later."""
    changing = ["now"]
    log.info("first")
    log.info("second: %s", changing)
    log.info(changing)
    changing[0] = "later"
    log.info("third")
    log.handlers[0].flush()
    assert stream.getvalue() == "first\nsecond: ['now']\n['now']\nthird\n"


def test_what_a_filter_says_counts_for_every_line(log: logging.Logger, stream: Counting) -> None:
    """Secrets are removed, and what a filter refuses is left out, whether a line is made at once or later."""
    log.handlers[0].addFilter(RedactingFilter())
    log.handlers[0].addFilter(lambda record: "unwanted" not in record.getMessage())
    log.info("unwanted")
    log.info("with Bearer abcdefghijkl")
    log.info("with %s", "Bearer abcdefghijkl")
    log.handlers[0].flush()
    assert stream.getvalue() == "with Bearer ***\nwith Bearer ***\n"


def test_a_warning_is_written_at_once(log: logging.Logger, stream: Counting) -> None:
    """With all that came before it."""
    log.info("before")
    log.warning("now")
    assert stream.getvalue() == "before\nnow\n"


def test_the_end_loses_nothing(log: logging.Logger, stream: Counting) -> None:
    """Closing writes what is left."""
    log.info("last")
    log.handlers[0].close()
    assert stream.getvalue() == "last\n"


def test_a_reader_that_has_gone(log: logging.Logger, stream: Counting) -> None:
    """Nobody who logs is told: a request does not fail for it."""
    stream.broken = True
    log.error("nobody reads this")
    stream.broken = False
    log.error("but this")
    assert stream.getvalue() == "but this\n"
