"""The checker of concurrent histories: what it takes, and above all what it refuses."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tests.support.linearizable import ABSENT, Operation, Value, explained


def read(value: Value, begin: float, end: float) -> Operation:
    """A read that has seen `value`."""
    return Operation("read", value, begin, end)


def write(value: Value, begin: float, end: float, *, certain: bool = True) -> Operation:
    """A write of `value`."""
    return Operation("write", value, begin, end, certain)


def test_a_read_after_a_write() -> None:
    """It sees what was written; the value before, or another, is refused."""
    assert explained([write(1, 0, 1), read(1, 2, 3)])
    assert not explained([write(1, 0, 1), read(ABSENT, 2, 3)])
    assert not explained([write(1, 0, 1), read(2, 2, 3)])


def test_a_read_beside_a_write() -> None:
    """It may see either value, and nobody who comes later sees the older one again."""
    assert explained([write(1, 0, 1), write(2, 2, 9), read(1, 3, 4), read(2, 5, 6)])
    assert not explained([write(1, 0, 1), write(2, 2, 9), read(2, 3, 4), read(1, 5, 6)])


def test_writes_beside_each_other() -> None:
    """Either order is one, but the same for all."""
    both = [write(1, 0, 5), write(2, 0, 5)]
    assert explained([*both, read(1, 6, 7), read(1, 8, 9)])
    assert explained([*both, read(2, 6, 7), read(2, 8, 9)])
    assert not explained([*both, read(1, 6, 7), read(2, 8, 9)])


def test_a_lost_write() -> None:
    """Acknowledged, and then the value before it is back: refused, also when the later write was read meanwhile."""
    assert not explained([write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)])
    assert not explained([write(1, 0, 1), write(2, 2, 3), read(2, 4, 5), read(1, 6, 7)])


def test_an_unknown_outcome() -> None:
    """It was done, or not, or is done late; but not undone."""
    unknown = write(2, 2, 3, certain=False)
    assert explained([write(1, 0, 1), unknown, read(1, 4, 5)])
    assert explained([write(1, 0, 1), unknown, read(2, 4, 5)])
    assert explained([write(1, 0, 1), unknown, read(1, 4, 5), read(2, 6, 7)])
    assert not explained([write(1, 0, 1), unknown, read(2, 4, 5), read(1, 6, 7)])
    assert not explained([write(1, 0, 1), read(2, 2, 3), write(2, 4, 5, certain=False)])


def test_many_unknown_outcomes() -> None:
    """They don't make the search endless, neither of a good history nor of a bad one."""
    unknown = [write(number, number, number + 1, certain=False) for number in range(60)]
    gone = [write(ABSENT, number, number + 1, certain=False) for number in range(60)]
    history = [*unknown, *gone, write("a", 61, 62), read("a", 63, 64), read(ABSENT, 65, 66)]
    assert explained(history)
    assert not explained([*history, read("b", 67, 68)])


def test_what_an_operation_needs() -> None:
    """A deletion that has succeeded had something to delete, and after one there is nothing."""
    gone = Operation("write", ABSENT, 2, 3, needs="something")
    assert explained([write(1, 0, 1), gone, read(ABSENT, 4, 5)])
    assert not explained([gone])
    assert not explained([write(1, 0, 1), gone, read(1, 4, 5)])
    again = Operation("write", ABSENT, 4, 5, needs="something")
    assert not explained([write(1, 0, 1), gone, again])
    absent = Operation("write", 3, 4, 5, needs="nothing")
    assert explained([write(1, 0, 1), gone, absent])
    assert not explained([write(1, 0, 1), absent])


def test_a_move_away() -> None:
    """It takes what is there, once."""
    assert explained([write(1, 0, 1), Operation("take", 1, 2, 3), read(ABSENT, 4, 5)])
    assert not explained([write(1, 0, 1), Operation("take", 1, 2, 3), read(1, 4, 5)])
    assert not explained([write(1, 0, 1), Operation("take", 1, 2, 3), Operation("take", 1, 2, 3)])


def test_a_part() -> None:
    """A ranged read is explained by any value that has the part."""
    part = Operation("part", "b", 2, 3, sees=lambda value: isinstance(value, str) and value[1:2] == "b")
    assert explained([write("abc", 0, 1), part])
    assert not explained([write("acb", 0, 1), part])
    assert not explained([part])


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_what_a_register_does(seed: int, count: int) -> None:
    """Every history of a real register is explained; with a value that was never there it is not."""
    draw = random.Random(seed)
    value: Value = ABSENT
    history: list[Operation] = []
    for number in range(count):
        begin, end = number - draw.random() * 4, number + draw.random() * 4  # it takes effect at `number`
        if draw.random() < 0.5:
            done = draw.random() < 0.8
            certain = done and draw.random() < 0.7
            history.append(Operation("write", number, begin, end, certain))
            value = number if done else value
        else:
            history.append(Operation("read", value, begin, end))
    assert explained(history)
    assert not explained([*history, Operation("read", "never", count, count + 1)])
