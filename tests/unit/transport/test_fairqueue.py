"""Turns at Graph: users one after the other, places for each purpose, the bridge's own work last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from davbridge import caller, deadline
from davbridge.caller import Caller, Purpose
from davbridge.clock import ManualClock, SystemClock
from davbridge.errors import Busy
from davbridge.transport.fairqueue import FairQueue
from tests.support.world import eventually

ONE = dict.fromkeys(Purpose, 1)


def at_once() -> None:
    """The gate is open, and waiting is of use."""


class Calls:
    """Calls in threads; each is over when it is told. `order`: who was let in, in that order."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.order: list[str] = []
        self._ends: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []

    def begin(
        self, name: str, user: str, purpose: Purpose = Purpose.METADATA, gate: Callable[[], None] = at_once
    ) -> None:
        """Ask for a place, and wait until that is seen: calls that are begun one after the other have come so."""
        ends = self._ends[name] = threading.Event()

        def passes() -> None:
            gate()
            self.order.append(name)

        def call() -> None:
            with caller.acting_for(Caller(user, purpose)), self.queue.place(at_once, passes):
                ends.wait(10)

        before = self.queue.waiting, len(self.order)
        self._threads.append(threading.Thread(target=call))
        self._threads[-1].start()
        eventually(lambda: (self.queue.waiting, len(self.order)) != before)

    def end(self, name: str) -> None:
        """Let a call be over, and the next one come in if there is one."""
        waiting, before = self.queue.waiting, len(self.order)
        self._ends[name].set()
        if waiting:
            eventually(lambda: len(self.order) > before)

    def end_all(self) -> None:
        for ends in self._ends.values():
            ends.set()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


@contextmanager
def calling(queue: FairQueue) -> Iterator[Calls]:
    """Calls that are all over at the end."""
    calls = Calls(queue)
    try:
        yield calls
    finally:
        calls.end_all()
    assert queue.waiting == 0


def test_users_have_their_turns() -> None:
    """Who asks for one thing is not behind all that another user asked for before."""
    with calling(FairQueue(SystemClock(), ONE)) as calls:
        for number in range(5):
            calls.begin(f"greedy {number}", "greedy")
        calls.begin("modest", "modest")
        calls.end("greedy 0")
        calls.end("greedy 1")
        assert calls.order == ["greedy 0", "greedy 1", "modest"]
        calls.end("modest")
        assert calls.order[-1] == "greedy 2"


def test_metadata_has_its_own_places() -> None:
    """However many uploads and downloads there are, a listing is not behind them."""
    with calling(FairQueue(SystemClock(), ONE)) as calls:
        for purpose in (Purpose.UPLOAD, Purpose.DOWNLOAD, Purpose.BACKGROUND):
            for number in range(3):
                calls.begin(f"{purpose.value} {number}", "greedy", purpose)
        calls.begin("listing", "greedy")
        assert calls.order == ["upload 0", "download 0", "background 0", "listing"]


@contextmanager
def waiting_at_the_gate(queue: FairQueue) -> Iterator[threading.Event]:
    """Somebody stands at the door until the event is set."""
    there, opens = threading.Event(), threading.Event()

    def gate() -> None:
        there.set()
        opens.wait(10)

    def call() -> None:
        with caller.acting_for(Caller("a", Purpose.METADATA)), queue.place(at_once, gate):
            pass

    thread = threading.Thread(target=call)
    thread.start()
    assert there.wait(10)
    try:
        yield opens
    finally:
        opens.set()
        thread.join(10)


def test_one_at_the_door() -> None:
    """While one waits for the gate nobody passes; then users have their turns, and the bridge's own work is last."""
    queue = FairQueue(SystemClock())
    with calling(queue) as calls, waiting_at_the_gate(queue) as opens:
        calls.begin("poll", "", Purpose.BACKGROUND)
        for number in range(2):
            calls.begin(f"a{number}", "a")
        calls.begin("b", "b")
        assert calls.order == []
        opens.set()
        eventually(lambda: len(calls.order) == 4)
    assert calls.order == ["a0", "b", "a1", "poll"]


def test_own_work_is_not_forgotten() -> None:
    """After ten seconds it goes before others: a busy mount sees changes, too."""
    clock = ManualClock()
    queue = FairQueue(clock)
    with calling(queue) as calls, waiting_at_the_gate(queue) as opens:
        calls.begin("poll", "", Purpose.BACKGROUND)
        clock.advance(11)
        calls.begin("a", "a")
        opens.set()
        eventually(lambda: len(calls.order) == 2)
    assert calls.order == ["poll", "a"]


def test_the_deadline_holds() -> None:
    """Who cannot be served in time is told so, and is in nobody's way afterwards."""
    clock = SystemClock()
    queue = FairQueue(clock, ONE)
    with calling(queue) as calls:
        calls.begin("long", "a")
        with (
            caller.acting_for(Caller("b", Purpose.METADATA)),
            deadline.within(clock, 0.05),
            pytest.raises(Busy) as busy,
            queue.place(at_once, at_once),
        ):
            pass
        assert busy.value.retry_after > 0
        calls.begin("next", "c")
        calls.end("long")
        assert calls.order == ["long", "next"]


def test_who_waits_in_vain_is_told_early() -> None:
    """A pause that came meanwhile and is too long ends the waiting, long before the deadline."""
    clock = SystemClock()
    queue = FairQueue(clock, ONE)

    def no_use() -> None:
        raise Busy("throttled", 120)

    with calling(queue) as calls:
        calls.begin("long", "a")
        with (
            caller.acting_for(Caller("b", Purpose.METADATA)),
            deadline.within(clock, 60),
            pytest.raises(Busy, match="throttled"),
            queue.place(no_use, at_once),
        ):
            pass


def test_a_failure_gives_the_place_back() -> None:
    """At the gate, and behind it."""
    queue = FairQueue(SystemClock(), ONE)

    def shut() -> None:
        raise Busy("shut", 1)

    for _ in range(3):
        with pytest.raises(Busy, match="shut"), queue.place(at_once, shut):
            pass
        with pytest.raises(ZeroDivisionError), queue.place(at_once, at_once):
            raise ZeroDivisionError
    with queue.place(at_once, at_once):
        assert queue.waiting == 0


def test_many_at_once() -> None:
    """Places are never more than there are, and none is lost, whoever gives up meanwhile."""
    clock, lock = SystemClock(), threading.Lock()
    queue = FairQueue(clock, dict.fromkeys(Purpose, 2))
    inside, most, served = 0, 0, 0

    def work(user: str) -> None:
        nonlocal inside, most, served
        with caller.acting_for(Caller(user, Purpose.UPLOAD)):
            for number in range(40):
                try:
                    with deadline.within(clock, 0.0005 if number % 4 == 0 else 30), queue.place(at_once, at_once):
                        with lock:
                            inside += 1
                            most = max(most, inside)
                        clock.sleep(0.0002)
                        with lock:
                            inside -= 1
                            served += 1
                except Busy:
                    assert number % 4 == 0

    threads = [threading.Thread(target=work, args=(f"user {number % 3}",)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert most <= 2
    assert served >= 12 * 30
    with deadline.within(clock, 1), queue.place(at_once, at_once):
        assert queue.waiting == 0
