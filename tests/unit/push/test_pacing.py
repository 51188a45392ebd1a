"""When to try again, and work that is given up."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from davbridge.push.attempt import attempt
from davbridge.push.channel import Pacing, Stopped
from davbridge.push.socket import _renewal

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_backoff() -> None:
    """From a second to a minute, doubled each time, and not by everybody at once."""
    for failures in (1, 2, 5, 6, 7, 100, 10**6):
        pauses = {Pacing().after(failures) for _ in range(50)}
        usual = min(2.0 ** min(failures - 1, 10), 60)
        assert all(max(1, usual * 0.79) <= pause <= min(60, usual * 1.21) for pause in pauses)
        assert len(pauses) > 1


@pytest.mark.parametrize(
    ("life", "seconds"), [(3600, 3480), (None, 3600), (240, 120), (100, 60), (0, 60), (-5000, 60), (86400, 86280)]
)
def test_renewal(life: float | None, seconds: float) -> None:
    """Two minutes before the end, at half of a short life, and never all the time, whatever our clock thinks."""
    expires = None if life is None else NOW + timedelta(seconds=life)
    assert _renewal(NOW, expires) == NOW + timedelta(seconds=seconds)


def test_an_attempt_that_succeeds_or_fails() -> None:
    """Its result, or its error."""
    never = threading.Event()
    assert attempt(never, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        attempt(never, lambda: 1 / 0)


@pytest.mark.parametrize("stopped", [True, False])
def test_an_attempt_that_is_given_up(stopped: bool) -> None:
    """What it has opened by the time it ends is discarded, even if that fails."""
    stop, go, discarded = threading.Event(), threading.Event(), threading.Event()
    if stopped:
        stop.set()

    def work() -> str:
        go.wait(5)
        return "opened"

    def discard(result: str) -> None:
        discarded.set()
        raise OSError(result)

    with pytest.raises(Stopped):
        attempt(stop, work, discard=discard, patience=0.1)
    assert not discarded.is_set()
    go.set()
    assert discarded.wait(5)
