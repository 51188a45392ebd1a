"""Which ranges follow each other, and how long a response waits for the next one."""

from __future__ import annotations

from typing import cast

import pytest

from davbridge.clock import ManualClock
from davbridge.drivers.protocol import Span
from davbridge.drivers.sequence import SHORT, Sequences
from davbridge.graph.downloads import ContentStream

VERSION = (("drive", "item"), "tag")


class Waiting:
    """As much of a stream as waits."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def waiting(position: int) -> tuple[Waiting, ContentStream]:
    """The same twice."""
    stream = Waiting(position)
    return stream, cast(ContentStream, stream)


@pytest.fixture
def clock() -> ManualClock:
    """Moves on when it is told to."""
    return ManualClock()


@pytest.fixture
def sequences(clock: ManualClock) -> Sequences:
    """Nothing was read yet."""
    return Sequences(clock)


def test_the_third_range(sequences: Sequences) -> None:
    """Two may be chance; from the third on more is asked for, within bounds."""
    for start in (0, 1000):
        assert sequences.widened(VERSION, Span(start, start + 1000)) == Span(start, start + 1000)
    wide = sequences.widened(VERSION, Span(2000, 3000))
    assert wide
    assert wide.start == 2000
    assert 1 << 20 < (wide.end or 0) <= 32 << 20


def test_what_is_no_sequence(sequences: Sequences, clock: ManualClock) -> None:
    """Another place, another version, a long range, the whole, a pause."""
    for span in (Span(0, 10), Span(20, 30), Span(40, 50), Span(5, 15), None, Span(0), Span(0, SHORT + 1)):
        assert sequences.widened(VERSION, span) == span
    for number in range(4):
        version = (VERSION[0], str(number))
        assert sequences.widened(version, Span(number * 10, number * 10 + 10)) == Span(number * 10, number * 10 + 10)
    for start in range(0, 50, 10):
        clock.advance(31)
        assert sequences.widened(VERSION, Span(start, start + 10)) == Span(start, start + 10)


def test_waiting(sequences: Sequences, clock: ManualClock) -> None:
    """It is given once, to who goes on just there with just that version; after some seconds it is closed."""
    stream, parked = waiting(100)
    sequences.park(VERSION, parked)
    assert sequences.take(VERSION, 99) is None
    assert sequences.take((VERSION[0], "other"), 100) is None
    assert sequences.take(VERSION, 100) is parked
    assert sequences.take(VERSION, 100) is None
    sequences.park(VERSION, parked)
    sequences.close_old()
    assert not stream.closed
    clock.advance(6)
    sequences.close_old()
    assert stream.closed == 1
    assert sequences.take(VERSION, 100) is None


def test_how_many_wait(sequences: Sequences) -> None:
    """The oldest goes, and of two at one place the older."""
    streams = [waiting(position) for position in (*range(20), 19)]
    for _, parked in streams:
        sequences.park(VERSION, parked)
    assert [stream.closed for stream, _ in streams] == [1] * 12 + [0] * 7 + [1, 0]
    sequences.clear()
    assert all(stream.closed == 1 for stream, _ in streams)
