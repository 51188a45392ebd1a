"""Whether a history of one register, written down by several clients, has an order that explains every answer.

An operation takes effect at one moment between its begin and its end; one whose outcome is unknown may do so at any
moment after its begin, or never. The search is Wing and Gong's, with Lowe's memory of what was tried ("Testing for
linearizability", Concurrency and Computation 29, 2017): a state is the set of operations that have been ordered, and
the register's value after them.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

Value = Hashable
ABSENT: Value = None
NEVER = math.inf
_UNSEEN: Value = object()


@dataclass(frozen=True)
class Operation:
    """One operation on a register, by a monotonic clock's seconds.

    `kind`: "read" has seen `value`; "write" has made it so, ABSENT for a deletion; "take" has seen it and left nothing;
    "part" is a read of which only `sees` tells whether a value is what was seen. `needs`: what must have been there for
    it to succeed: None for no matter what. `certain` false: nobody knows whether it was done, and `end` means nothing.
    """

    kind: Literal["read", "write", "part", "take"]
    value: Value
    begin: float
    end: float
    certain: bool = True
    needs: Literal["something", "nothing"] | None = None
    sees: Callable[[Value], bool] | None = field(default=None, compare=False)
    who: str = ""

    @property
    def due(self) -> float:
        """The moment after which it cannot take effect any more."""
        return self.end if self.certain else NEVER

    def has_seen(self, value: Value) -> bool:
        """Whether this value explains what it has seen."""
        if self.kind == "part":
            assert self.sees is not None
            return value is not _UNSEEN and self.sees(value)
        return value == self.value

    def after(self, value: Value) -> tuple[bool, Value]:
        """Whether it can be done to a register of this value, and the value after it."""
        if (self.needs == "something" and value is ABSENT) or (self.needs == "nothing" and value is not ABSENT):
            return False, value
        if self.kind == "write":
            return True, self.value
        return self.has_seen(value), ABSENT if self.kind == "take" else value


def explained(history: Sequence[Operation], first: Value = ABSENT) -> bool:
    """Whether the history of a register that begins with `first` is linearizable.

    Of operations that nobody knows the outcome of, those that would look the same are tried in one order only.
    """
    seen_at_all = [one for one in history if one.kind != "write"]
    operations = sorted((_plain(one, seen_at_all) for one in history if _matters(one)), key=lambda one: one.begin)
    certain = sum(1 << number for number, one in enumerate(operations) if one.certain)
    tried: set[tuple[int, Value]] = set()
    waiting: list[tuple[int, Value]] = [(0, first)]
    while waiting:
        done, value = state = waiting.pop()
        if state in tried:
            continue
        tried.add(state)
        if done & certain == certain:
            return True
        for number, one in _next(operations, done):
            possible, becomes = one.after(value)
            if possible:
                waiting.append((done | 1 << number, becomes))
    return False


def _matters(one: Operation) -> bool:
    """Reads of unknown outcome say nothing."""
    return one.certain or one.kind in ("write", "take")


def _plain(one: Operation, others: Sequence[Operation]) -> Operation:
    """An unknown write of what nobody has seen: it is like all others of that kind."""
    if one.certain or one.kind != "write" or one.value is ABSENT:
        return one
    return one if any(other.has_seen(one.value) for other in others) else replace(one, value=_UNSEEN)


def _next(operations: list[Operation], done: int) -> list[tuple[int, Operation]]:
    """The operations that may come next: those that had begun when the first of the others ended.

    That which must come soonest is given last, which means that it is tried first.
    """
    soonest = NEVER
    left: list[tuple[int, Operation]] = []
    alike: set[Value] = set()
    for number, one in enumerate(operations):
        if done >> number & 1:
            continue
        if one.begin > soonest:
            break
        soonest = min(soonest, one.due)
        if not one.certain and one.kind == "write" and one.value in (ABSENT, _UNSEEN):
            if one.value in alike:
                continue  # that which had begun before can be taken for it
            alike.add(one.value)
        left.append((number, one))
    possible = [(number, one) for number, one in left if one.begin <= soonest]
    return sorted(possible, key=lambda which: -which[1].due)


class History:
    """Operations by register, as several threads write them down."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.operations: dict[str, list[Operation]] = {}

    @contextmanager
    def timed(self) -> Iterator[list[float]]:
        """The begin and, after the block, the end of what is done in it."""
        times = [time.monotonic()]
        try:
            yield times
        finally:
            times.append(time.monotonic())

    def add(self, register: str, operation: Operation) -> None:
        with self._lock:
            self.operations.setdefault(register, []).append(operation)

    def unexplained(self) -> dict[str, str]:
        """What registers have no order, and their histories, to be read by a person."""
        return {
            register: shown(operations) for register, operations in self.operations.items() if not explained(operations)
        }


def first_unexplained(history: Sequence[Operation]) -> Operation | None:
    """The operation with whose end a history loses its last explanation: where a person begins to look."""
    ended = sorted((one for one in history if one.certain), key=lambda one: one.end)
    for one in ended:
        # what had not ended by then may have been done or not
        known = [
            other if other.end <= one.end else replace(other, certain=False)
            for other in history
            if other.begin <= one.end
        ]
        if not explained(known):
            return one
    return None


def shown(operations: Sequence[Operation]) -> str:
    """A history, line by line."""
    culprit = first_unexplained(operations)
    start = min(one.begin for one in operations)
    lines = (
        f"{one.begin - start:8.3f} {one.end - start:8.3f} {one.who:4} {one.kind:5} {str(one.value)[:60]}"
        f"{'' if one.certain else ' ?'}{f' needs {one.needs}' if one.needs else ''}"
        f"{' <-- here at the latest' if one is culprit else ''}"
        for one in sorted(operations, key=lambda one: one.begin)
    )
    return "\n".join(lines)
