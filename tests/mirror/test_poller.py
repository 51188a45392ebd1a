"""When the poller polls, by a clock that only its own waiting moves on."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from davbridge.clock import ManualClock
from davbridge.errors import BadUpstream, Busy, NeedsSignIn, Unsupported
from davbridge.mirror.folder import Mirrors
from davbridge.mirror.poller import Pace, Poller
from davbridge.mirror.standing import Standing
from davbridge.mirror.sync import DeltaSync
from davbridge.mirror.watch import Watch


class Ticks:
    """The poller's stop: waiting for it moves the clock on; it is set at a certain time."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.end = 0.0
        self.at: list[tuple[float, Callable[[], None]]] = []

    def wait(self, seconds: float) -> bool:
        self._clock.advance(seconds)
        for when, act in [one for one in self.at if one[0] <= self._clock.monotonic()]:
            self.at.remove((when, act))
            act()
        return self.is_set()

    def is_set(self) -> bool:
        return self._clock.monotonic() >= self.end


class Talk:
    """What requests and push say: when the last request came, and when somebody poked."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.active = clock.monotonic()
        self.poked = 0.0
        self.held = True

    def idle_seconds(self) -> float:
        return self._clock.monotonic() - self.active

    def poked_at(self) -> float:
        return self.poked

    def holds(self, _: int) -> bool:
        return self.held


class Rounds:
    """Rounds that take no time, and fail as they are told to. `at`: when they began."""

    name = "drive"

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._start = clock.monotonic()
        self.at: list[float] = []
        self.errors: list[Exception] = []
        self.takes = 0.0

    def round(self, stop: object) -> int:
        self.at.append(round(self._clock.monotonic() - self._start, 1))
        self._clock.advance(self.takes)
        if self.errors:
            raise self.errors.pop(0)
        return 0


class Polled:
    """A poller with all that it talks to."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.talk, self.rounds, self.ticks = Talk(self.clock), Rounds(self.clock), Ticks(self.clock)
        sync, watch = cast(DeltaSync, self.rounds), cast(Watch, self.talk)
        self.poller = Poller(sync, watch, self.clock, Pace())
        self.poller._stop = cast(threading.Event, self.ticks)

    def run(self, seconds: float) -> list[float]:
        """Lead for so long; when it polled."""
        self.ticks.end = self.clock.monotonic() + seconds
        self.poller._lead(0)
        return self.rounds.at

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Let something happen."""
        self.ticks.at.append((self.clock.monotonic() + seconds, act))


@pytest.fixture
def polled() -> Polled:
    """A poller that has just begun."""
    return Polled()


def _gaps(times: list[float]) -> list[float]:
    return [round(later - earlier) for earlier, later in itertools.pairwise(times)]


def test_often_then_seldom_then_never(polled: Polled) -> None:
    """15 s between polls while clients are there, a minute after five minutes of silence, none after half an hour."""
    times = polled.run(7200)
    assert set(_gaps([one for one in times if one < 290])) == {15}
    assert set(_gaps([one for one in times if one > 320])) == {60}
    assert max(times) <= 1800


def test_a_request_wakes_it(polled: Polled) -> None:
    """After a long silence the first request polls at once."""
    polled.talk.active = polled.clock.monotonic() - 10_000
    polled.talk.poked = -5.0

    def ask() -> None:
        polled.talk.active = polled.clock.monotonic()

    polled.later(500, ask)
    times = polled.run(510)
    assert len(times) == 1
    assert times[0] == pytest.approx(500, abs=0.5)


def test_a_poke_polls_at_once(polled: Polled) -> None:
    """Push says that something has changed: the poll comes with the next tick, and only one."""

    def poke() -> None:
        polled.talk.poked = polled.clock.monotonic()

    polled.later(5, poke)
    times = polled.run(14)
    assert len(times) == 2
    assert times[1] == pytest.approx(5, abs=0.5)


def test_a_lost_sign_in_is_looked_at_at_the_usual_pace(polled: Polled) -> None:
    """A new sign-in brings the mirror back within 15 seconds, not after the five minutes that clients are told."""
    polled.rounds.errors = [NeedsSignIn("no") for _ in range(5)]
    assert _gaps(polled.run(120)) == [15] * 7


def test_a_lost_sign_in_is_not_told_for_each_drive(polled: Polled, caplog: pytest.LogCaptureFixture) -> None:
    """The account has told it; that it is back is told."""
    polled.rounds.errors = [NeedsSignIn("no") for _ in range(3)]
    with caplog.at_level("INFO", "davbridge"):
        polled.run(120)
    assert [one.getMessage() for one in caplog.records] == ["changes of drive drive are told again"]


def test_failures_are_farther_and_farther_apart(polled: Polled) -> None:
    """15 s, 30 s, … up to five minutes, whatever push says; and the usual pace when it works again."""
    polled.rounds.errors = [BadUpstream("no") for _ in range(7)]
    polled.later(20, lambda: setattr(polled.talk, "poked", polled.clock.monotonic()))
    assert _gaps(polled.run(1500))[:8] == [15, 30, 60, 120, 240, 300, 300, 60]


def test_retry_after_is_kept(polled: Polled) -> None:
    """A pause that Microsoft wants is counted from its answer, not from the question."""
    polled.rounds.errors = [Busy("throttled", 200.0)]
    polled.rounds.takes = 50.0
    assert _gaps(polled.run(260)) == [250]


def test_no_delta_is_tried_again_after_an_hour(polled: Polled) -> None:
    """Where delta is not to be had, one call an hour."""
    polled.rounds.errors = [Unsupported("no") for _ in range(2)]
    for hour in range(1, 3):
        polled.later(3600 * hour - 20, lambda: setattr(polled.talk, "active", polled.clock.monotonic()))
    assert _gaps(polled.run(7300))[:2] == [3600, 3600]


def test_an_unexpected_error_does_not_end_it(polled: Polled, caplog: pytest.LogCaptureFixture) -> None:
    """A defect is logged, and the next poll comes."""
    polled.rounds.errors = [ZeroDivisionError()]
    assert len(polled.run(310)) == 2
    assert "a delta round failed" in caplog.text


def test_a_long_round_is_followed_by_another(polled: Polled) -> None:
    """Much may have happened while a first enumeration ran."""
    polled.rounds.takes = 100.0
    assert _gaps(polled.run(150)) == [100]


def test_a_lock_that_is_gone_ends_the_lead(polled: Polled) -> None:
    """Somebody cleared the folder: another process may be the poller by now."""
    polled.later(20, lambda: setattr(polled.talk, "held", False))
    polled.run(1000)
    assert polled.clock.monotonic() < 1000 + 21


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[tuple[Watch, ManualClock, list[Standing]]]:
    """The watch of a drive whose standing the test sets."""
    clock, standings = ManualClock(), [Standing()]
    mirrors = Mirrors(tmp_path, clock)
    yield Watch(mirrors.open("contoso", "b!x"), clock, lambda: standings[-1]), clock, standings
    mirrors.close()


def test_only_one_is_the_poller(watch: tuple[Watch, ManualClock, list[Standing]], tmp_path: Path) -> None:
    """The lock is one process's; when its file is removed, the holder knows."""
    one = watch[0]
    lock = one.try_lock()
    assert lock is not None
    assert one.try_lock() is None
    assert one.holds(lock)
    next(tmp_path.glob("*.lock")).unlink()
    assert not one.holds(lock)
    os.close(lock)


def test_the_first_request_after_a_silence_waits_for_a_round(
    watch: tuple[Watch, ManualClock, list[Standing]],
) -> None:
    """Two seconds at the most, and not at all while clients are there."""
    one, clock, standings = watch
    now = clock.now().timestamp()
    standings.append(Standing("live", "link", "", now - 500, now - 500))
    one.attend()
    assert sum(clock.pauses) == pytest.approx(2.0, abs=0.1)
    assert one.poked_at() > 0


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """Where nothing can be kept, requests go on without a poller."""
    (tmp_path / "file").write_text("")
    file = Mirrors(tmp_path / "file" / "mirror", ManualClock()).open("contoso", "b!x")
    assert file.is_lost
    one = Watch(file, file.clock, Standing)
    one.attend()
    one.poke()
    with pytest.raises(OSError, match="directory"):
        one.try_lock()
