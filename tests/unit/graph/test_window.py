"""How many ranges at a time: grown while it pays, never where one connection is fast enough or the client is slow."""

from __future__ import annotations

from collections.abc import Callable

from davbridge.graph.window import Sample, Window

PART = 4 << 20


def run(speed: Callable[[int], float], parts: int, *, waiting: float = 0.9, cpu: float = 0.1, limit: int = 8) -> Window:
    """The window after so many parts, with `speed(size)` bytes a second at each size."""
    window = Window()
    for _ in range(parts):
        seconds = PART / speed(window.size)
        window.note(Sample(PART, waiting * seconds, seconds, cpu * seconds), limit)
    return window


def test_a_line_that_carries_more() -> None:
    """Each doubling pays: up to eight, and not beyond what there is room for."""
    assert run(lambda size: size * 2e7, 40).size == 8
    assert run(lambda size: size * 2e7, 40, limit=3).size == 3
    assert run(lambda size: size * 2e7, 40, limit=0).size == 1


def test_a_fast_connection() -> None:
    """Where one is fast enough it stays alone."""
    assert run(lambda size: 3e8, 40).size == 1


def test_a_line_that_is_full() -> None:
    """Growth that does not pay is taken back, and not tried again soon."""
    assert run(lambda size: 4e7 if size > 1 else 2e7, 40).size == 2


def test_a_slow_client() -> None:
    """It would only fill memory."""
    assert run(lambda size: 1e6, 40, waiting=0.01).size == 1


def test_a_client_that_becomes_slow() -> None:
    """What was fetched early is let go of."""
    window = run(lambda size: size * 2e7, 40)
    for _ in range(20):
        window.note(Sample(PART, 0.01, 4.0, 0.1), 8)
    assert window.size == 1


def test_a_busy_process() -> None:
    """When we compute all the time, more connections help nobody."""
    assert run(lambda size: size * 2e7, 40, cpu=0.9).size == 1


def test_more_downloads() -> None:
    """What others need is given up."""
    window = run(lambda size: size * 2e7, 40)
    for _ in range(10):
        window.note(Sample(PART, 0.2, 0.25, 0.0), 2)
    assert window.size == 2


def test_giving_up() -> None:
    """A service that bears no more is not asked again."""
    window = run(lambda size: size * 2e7, 40)
    window.give_up()
    for _ in range(100):
        window.note(Sample(PART, 0.9, 1.0, 0.0), 8)
    assert window.size == 1
