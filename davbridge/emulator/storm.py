"""Bad weather: of the calls of a whole day some per cent go wrong, each at random, until it clears.

Why beside the script of `faults`: that one hits the call that a test has in mind; this one hits those that nobody had.
One seed makes one sequence of faults; which calls they meet is decided by the client's own threads.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable

from davbridge.emulator.faults import Action, LoseAnswer, Reset, Status, Truncate, WorkThen

Draw = Callable[[random.Random], Action]


def _somewhere(chance: random.Random) -> int:
    """A number of bytes, as often below a thousand as above."""
    return int(10 ** chance.uniform(0, 6.5))


_BUSY: tuple[Draw, ...] = (lambda _: Status(429, retry_after=1), lambda _: Status(503, retry_after=1))
_READING: tuple[Draw, ...] = (
    *_BUSY,
    lambda _: Status(503),
    lambda _: Status(500),
    lambda _: Reset(),
    lambda _: Truncate(10),
)
_WRITING: tuple[Draw, ...] = (*_BUSY, lambda _: Reset(), lambda _: LoseAnswer(), lambda _: WorkThen(504))
_SENDING: tuple[Draw, ...] = (
    *_BUSY,
    lambda _: Status(503),
    lambda chance: Reset(_somewhere(chance)),
    lambda _: LoseAnswer(),
)
_FETCHING: tuple[Draw, ...] = (
    *_BUSY,
    lambda chance: Reset(_somewhere(chance)),
    lambda chance: Truncate(_somewhere(chance)),
)

_WHAT: dict[str, tuple[Draw, ...]] = {
    **dict.fromkeys(
        ("get item", "list children", "get drive or site", "get content", "delta", "get session", "monitor"), _READING
    ),
    **dict.fromkeys(
        ("update item", "delete item", "create folder", "create session", "copy item", "delete session"), _WRITING
    ),
    **dict.fromkeys(("put content", "put fragment"), _SENDING),
    "download": _FETCHING,
}
"""By operation. The others (sign-in, channels, searches) are spared."""


class Storm:
    """`rate` of the calls are hit, from 0 to 1. Thread-safe.

    Raises ValueError for another rate.
    """

    def __init__(self, rate: float, seed: int) -> None:
        if not 0 <= rate <= 1:
            raise ValueError("the rate of faults is between 0 and 1")
        self._rate = rate
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._served: Counter[str] = Counter()

    def take(self, operation: str) -> Action | None:
        """The fault for this call, if it is one of those that are hit."""
        what = _WHAT.get(operation)
        if what is None:
            return None
        with self._lock:
            if self._chance.random() >= self._rate:
                return None
            action = self._chance.choice(what)(self._chance)
            self._served[_named(operation, action)] += 1
            return action

    @property
    def served(self) -> dict[str, int]:
        """How many faults came true, by operation and kind: `put fragment: reset`, `get item: 429`."""
        with self._lock:
            return dict(self._served)


def _named(operation: str, action: Action) -> str:
    kind = {Reset: "reset", Truncate: "truncate", LoseAnswer: "lost answer", WorkThen: "504 after the work"}
    return f"{operation}: {kind.get(type(action)) or getattr(action, 'status', '')}"
