"""Who may ask Graph next: so many calls at a time for each purpose, users in turn, the bridge's own work last.

Why here: what one user's sync has to ask must not stand before another user's listing. There is one door, which one
call after the other passes; whoever is at the door waits there for the gate, so that the order is decided as late as
can be. Each purpose has places behind it that no other takes. Only calls of Graph itself come here: contents on
pre-authenticated URLs take no place.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from davbridge import caller, deadline
from davbridge.caller import Caller, Purpose
from davbridge.clock import Clock
from davbridge.errors import Busy

PLACES = {Purpose.METADATA: 8, Purpose.DOWNLOAD: 8, Purpose.UPLOAD: 8, Purpose.BACKGROUND: 2}
"""Calls at a time in one process. More gain little, and bring throttling near (facts: Graph §8.5)."""
_PATIENCE = 10.0
"""Seconds after which the bridge's own work goes before others: without it a busy mount would see no changes."""
_TICK = 1.0
_LATER = 5.0


class _Waiter:
    """One call that waits for the door. `begun`: since when."""

    __slots__ = ("admitted", "begun", "caller")

    def __init__(self, who: Caller, begun: float) -> None:
        self.caller = who
        self.begun = begun
        self.admitted = threading.Event()


class _Turns:
    """The waiters of one purpose: first come, first served for each user, and one user after the other."""

    def __init__(self) -> None:
        self._users: OrderedDict[str, deque[_Waiter]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._users.values()))

    def add(self, waiter: _Waiter) -> None:
        self._users.setdefault(waiter.caller.user, deque()).append(waiter)

    @property
    def first(self) -> _Waiter | None:
        return next(iter(self._users.values()))[0] if self._users else None

    def pop(self) -> _Waiter:
        """The first; whose turn it was goes to the end of the row."""
        user, waiters = next(iter(self._users.items()))
        waiter = waiters.popleft()
        self._users.move_to_end(user)
        if not waiters:
            del self._users[user]
        return waiter

    def remove(self, waiter: _Waiter) -> None:
        waiters = self._users[waiter.caller.user]
        waiters.remove(waiter)
        if not waiters:
            del self._users[waiter.caller.user]


class FairQueue:
    """For all threads of a process that talk to Graph with one account. `places` by purpose."""

    def __init__(self, clock: Clock, places: dict[Purpose, int] | None = None) -> None:
        self._clock = clock
        self._places = places or PLACES
        self._lock = threading.Lock()
        self._turns = {purpose: _Turns() for purpose in Purpose}
        self._taken = dict.fromkeys(Purpose, 0)
        self._at_door: _Waiter | None = None
        # foreground purposes in the order of their next turn
        self._row = deque(purpose for purpose in Purpose if purpose is not Purpose.BACKGROUND)

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        with self._lock:
            return sum(map(len, self._turns.values()))

    @contextmanager
    def place(self, allowed: Callable[[], None], pass_gate: Callable[[], None]) -> Iterator[None]:
        """A place for one call. `allowed` is asked now and then by who waits, and raises when it is no use;
        `pass_gate` waits for the gate, and nobody else passes meanwhile.

        Raises:
            Busy: the turn did not come before the deadline. What the two raise.
        """
        waiter = _Waiter(caller.current(), self._clock.monotonic())
        with self._lock:
            self._turns[waiter.caller.purpose].add(waiter)
            self._admit()
        if not waiter.admitted.is_set():
            self._wait(waiter, allowed)
        try:
            try:
                pass_gate()
            finally:
                self._close_door()
            yield
        finally:
            with self._lock:
                self._taken[waiter.caller.purpose] -= 1
                self._admit()

    def _wait(self, waiter: _Waiter, allowed: Callable[[], None]) -> None:
        end = deadline.current(self._clock)
        try:
            while not waiter.admitted.wait(max(0.0, min(end.remaining(), _TICK))):
                allowed()
                if end.remaining() <= 0:
                    raise Busy("more is asked of Microsoft than can be answered in time", _LATER)
        except BaseException:
            self._withdraw(waiter)
            raise

    def _withdraw(self, waiter: _Waiter) -> None:
        with self._lock:
            if not waiter.admitted.is_set():
                self._turns[waiter.caller.purpose].remove(waiter)
                return
            # at the last moment: the place goes to the next one
            self._at_door = None
            self._taken[waiter.caller.purpose] -= 1
            self._admit()

    def _close_door(self) -> None:
        with self._lock:
            self._at_door = None
            self._admit()

    def _admit(self) -> None:
        """Let the next one to the door, if it is free; the lock is held."""
        if self._at_door is not None:
            return
        purpose = self._next()
        if purpose is None:
            return
        waiter = self._at_door = self._turns[purpose].pop()
        self._taken[purpose] += 1
        waiter.admitted.set()

    def _next(self) -> Purpose | None:
        own = self._turns[Purpose.BACKGROUND].first
        if own is not None and self._clock.monotonic() - own.begun < _PATIENCE:
            own = None
        order = [Purpose.BACKGROUND, *self._row] if own is not None else [*self._row, Purpose.BACKGROUND]
        for purpose in order:
            if self._turns[purpose].first is not None and self._taken[purpose] < self._places[purpose]:
                if purpose is not Purpose.BACKGROUND:
                    self._row.remove(purpose)
                    self._row.append(purpose)
                return purpose
        return None
