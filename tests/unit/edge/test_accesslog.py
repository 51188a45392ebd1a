"""The line of each request, as logging sees it."""

from __future__ import annotations

import logging

import pytest

from davbridge.clock import ManualClock
from davbridge.edge.accesslog import AccessLog


def test_a_line_is_a_record_like_any_other(caplog: pytest.LogCaptureFixture) -> None:
    """It has all that a formatter may ask for, though it is made a shorter way, and its own time and text."""
    caplog.set_level(logging.INFO, "davbridge.access")
    seen = AccessLog(lambda environ, start: start("207 Multi-Status", []) or [b"xml"], ManualClock())
    environ = {"REQUEST_METHOD": "PROPFIND", "REQUEST_URI": "/me/a?token=1", "REMOTE_ADDR": "192.0.2.1"}
    body = seen(environ, lambda *_: None)
    assert list(body) == [b"xml"]
    body.close()  # type: ignore[attr-defined] # the server does, too
    (record,) = caplog.records
    usual = logging.LogRecord("n", logging.INFO, "p", 1, "m", (), None)
    assert vars(record).keys() >= vars(usual).keys()
    assert record.getMessage() == "192.0.2.1 - PROPFIND /me/a 207 3 bytes 0.000 s"
    assert (record.name, record.levelname) == ("davbridge.access", "INFO")
    assert 0 <= record.created - usual.created + 60 <= 61
    assert record.msecs == pytest.approx(record.created % 1 * 1000)
