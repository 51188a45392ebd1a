"""Drives that a process has had no request for: found beside whoever asks for figures, once in a while."""

from __future__ import annotations

from davbridge.clock import ManualClock
from davbridge.errors import NotFound
from davbridge.seeking import Seeker
from tests.support.world import eventually


class Driver:
    """Counts the probes; one that fails finds nothing."""

    def __init__(self, *, fails: bool) -> None:
        self.fails, self.probes, self.is_open = fails, 0, False

    def probe(self) -> str:
        self.probes += 1
        if self.fails:
            raise NotFound("no such library")
        self.is_open = True
        return "found"


def test_what_is_found_and_what_is_not() -> None:
    """One try a minute, until all are found; the ones that were not found are told."""
    clock, good, bad = ManualClock(), Driver(fails=False), Driver(fails=True)
    seeker = Seeker({"good": good, "bad": bad}, clock)  # type: ignore[dict-item]
    seeker.seek()
    eventually(lambda: seeker.not_found == {"bad"})
    assert good.is_open
    seeker.seek()
    assert bad.probes == 1
    bad.fails = False
    clock.advance(61)
    eventually(lambda: not seeker._lock.locked())
    seeker.seek()
    eventually(lambda: bad.is_open and not seeker.not_found)
    clock.advance(61)
    seeker.seek()
    assert bad.probes == 2
