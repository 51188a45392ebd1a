"""The window that an upload slides through, with both of its threads played by one, and a clock in hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davbridge.clock import ManualClock
from davbridge.errors import BodyTruncated
from davbridge.graph.fragments import AHEAD, Fragment, Window
from davbridge.graph.memory import UNIT, Memory
from davbridge.graph.tempo import FIRST, LARGEST, SHOWN, SMALLEST, Line, Tempo

MIB = 2**20
BLOCKS = [bytes([number]) * UNIT for number in range(7)]


class Play:
    """An upload of `total` bytes; what both sides have got so far, and what must hold whatever they do."""

    def __init__(self, total: int, memory: Memory, share, line: Line | None = None) -> None:
        self.total, self.memory, self.share = total, memory, share
        self.clock = ManualClock()
        self.window = Window(total, share, line or Line(), self.clock)
        self.units = -(-total // UNIT)
        self.read_units = self.stored = 0
        self.client = 0.0
        self.fragment: Fragment | None = None
        self.given = 0
        self.parts: Iterator[bytes] = iter(())

    def part(self, number: int) -> bytes:
        """What the client sends."""
        return BLOCKS[number % 7][: min(UNIT, self.total - number * UNIT)]

    @property
    def held(self) -> int:
        return self.read_units - self.stored // UNIT

    def may(self) -> set[str]:
        """What would not wait."""
        able = set()
        if self.read_units < self.units and self.window.has_room:
            able.add("read")
        if self.fragment is None:
            if self.stored < self.total and self.window.may_begin:
                able.add("begin")
        elif self.given == self.fragment.count:
            able |= {"acknowledge", "break"}
        elif self.held > self.given:
            able |= {"send", "break"}
        return able

    def act(self, what: str, seconds: float) -> None:
        if what == "read":
            self.window.put(self.part(self.read_units), seconds)
            self.client = seconds
            self.read_units += 1
        elif what == "begin":
            self.fragment = self.window.begin()
            assert len(self.fragment) % UNIT == 0 or self.fragment.last
            assert UNIT <= len(self.fragment) <= LARGEST or self.fragment.last
            assert self.fragment.last == (self.stored + len(self.fragment) == self.total)
            assert len(self.fragment) <= self.share.taken, "the memory for all of it is there before it begins"
            self.restart()
        elif what == "send":
            assert next(self.parts) == self.part(self.stored // UNIT + self.given)
            self.given += 1
        elif what == "break":
            self.restart()
        elif what == "acknowledge":
            assert self.fragment is not None
            assert list(self.parts) == []
            assert self.fragment.given
            self.window.sent(self.fragment, seconds)
            self.stored += len(self.fragment)
            self.fragment = None
        assert self.held * UNIT <= self.share.taken <= max(54 * MIB, UNIT)

    def restart(self) -> None:
        assert self.fragment is not None
        self.parts, self.given = iter(self.fragment), 0


@given(
    total=st.integers(1, 300 * UNIT),
    room=st.sampled_from([UNIT, 2 * UNIT, 20 * MIB, 128 * MIB]),
    others=st.integers(0, 5),
    acts=st.lists(
        st.tuples(
            st.sampled_from(["read", "begin", "send", "break", "acknowledge"]), st.floats(0, 5), st.integers(1, 60)
        ),
        max_size=60,
    ),
)
def test_whatever_both_sides_do(total: int, room: int, others: int, acts: list[tuple[str, float, int]]) -> None:
    """Fragments in order, whole, as the service takes them, within the memory; and one side can always go on."""
    memory = Memory(room)
    with memory.upload() as share, ExitStack() as stack:
        play = Play(total, memory, share)
        for _ in range(others):
            stack.enter_context(memory.upload()).resize(room)
        for what, seconds, times in acts:
            for _ in range(times):
                if what in play.may():
                    play.act(what, seconds)
        while play.stored < total:
            able = play.may() - {"break"}
            assert able, "both wait"
            play.act(min(able), 0.1)
        assert play.read_units == play.units


def played(total: int, client: float, service: float) -> list[tuple[int, int]]:
    """Each fragment of an upload with a lot of memory: its bytes, and those of it that were there when it began.

    `client` and `service`: bytes a second.
    """
    memory, seen = Memory(), []
    with memory.upload() as share:
        play = Play(total, memory, share)
        while play.stored < total:
            able = play.may() - {"break"}
            act = next(act for act in ("begin", "send", "acknowledge", "read") if act in able)
            size = len(play.fragment) if play.fragment else 0
            play.act(act, size / service if act == "acknowledge" else UNIT / client)
            if act == "begin":
                seen.append((len(play.fragment), min(len(play.fragment), play.held * UNIT)))
    return seen


def test_a_quick_client_on_a_quick_line() -> None:
    """The second fragment is as large as they get, and none is read before it begins, once the client is known."""
    (first, at_first), *more = played(254 * MIB, 100e6, 20e6)
    assert (first, at_first) == (FIRST, -(-SHOWN // UNIT) * UNIT)
    assert [size for size, _ in more[:-1]] == [LARGEST] * 4
    assert max(there for _, there in more) <= AHEAD


def test_a_slow_client() -> None:
    """Fragments are small, and nearly all of each is read before it begins: the service never waits for long."""
    seen = played(40 * MIB, 100e3, 20e6)
    assert {size for size, _ in seen[:-1]} == {SMALLEST}
    assert all(size - there <= 300e3 for size, there in seen)


def test_a_slow_line() -> None:
    """Fragments become small: each takes some seconds only."""
    seen = played(40 * MIB, 100e6, 1e6)
    assert {size for size, _ in seen[1:-1]} == {SMALLEST}


def test_the_line_is_remembered() -> None:
    """The next upload begins with what the last one has found, for some time; tiny fragments tell nothing."""
    line, clock = Line(), ManualClock()
    Tempo(line, clock).sent(UNIT, 0.1)
    assert Tempo(line, clock).wanted == FIRST
    Tempo(line, clock).sent(FIRST, 0.5)
    assert Tempo(line, clock).wanted == LARGEST
    Tempo(line, clock).sent(FIRST, 10)
    assert Tempo(line, clock).wanted == SMALLEST
    clock.advance(1000)
    assert Tempo(line, clock).wanted == FIRST


def test_who_fails_first() -> None:
    """The other side raises the same, instead of waiting for ever."""
    with Memory(UNIT).upload() as share:
        window = Window(3 * UNIT, share, Line(), ManualClock())
        window.put(BLOCKS[0], 0.1)
        fragment = window.begin()
        assert not window.has_room
        threading.Timer(0.01, window.stop, [BodyTruncated("the client has gone")]).start()
        with pytest.raises(BodyTruncated):
            window.wait_for_room()
        with pytest.raises(BodyTruncated):
            next(iter(fragment))
        window.stop(KeyError())
        with pytest.raises(BodyTruncated):
            window.hold_last()
