"""What the log says of refused sign-ins to the page."""

from __future__ import annotations

import pytest

from davbridge.clock import ManualClock
from davbridge.page.refusals import Refusals


def test_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """However many are tried; the next line counts them, and what is no user's name is not written down."""
    clock = ManualClock()
    refusals = Refusals({"alice"}, clock)
    for _ in range(5):
        refusals.tell("alice", "192.0.2.7", "wrong")
    clock.advance(61)
    refusals.tell("pass-in-the-wrong-field", "192.0.2.8", "wrong")
    first, second = (one.getMessage() for one in caplog.records)
    assert first == "the status page refused a sign-in as alice from 192.0.2.7: wrong"
    assert second == (
        "the status page refused a sign-in with an unknown name from 192.0.2.8: wrong; 4 more since the last such line"
    )
