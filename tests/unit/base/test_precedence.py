"""Small requests go first: who gives way, for how long, and who is given way to. Nothing here sleeps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import groupby

from davbridge.precedence import PRECEDENCE, SMALL, Precedence
from davbridge.waiting import about_to_wait, waited


class Pauses:
    """Instead of sleeping; `meanwhile` happens in each pause."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.seconds: list[float] = []
        self._meanwhile = meanwhile

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._meanwhile()


def in_thread(work: Callable[[], object]) -> None:
    """Have another thread do it, and wait for it."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


@contextmanager
def somebody_answers(precedence: Precedence) -> Iterator[None]:
    """Another thread answers a small request, for the block."""
    begun, ended = threading.Event(), threading.Event()

    def answer() -> None:
        precedence.begin()
        begun.set()
        ended.wait(20)
        precedence.end()

    thread = threading.Thread(target=answer)
    thread.start()
    begun.wait(20)
    try:
        yield
    finally:
        ended.set()
        thread.join(20)


def test_nobody_waits_for_nobody() -> None:
    """Without a small request no block of a large one is kept."""
    pauses = Pauses()
    precedence = Precedence(pauses)
    precedence.begin()
    for _ in range(10):
        precedence.move(SMALL)
    assert pauses.seconds == []


def test_a_large_one_gives_way_for_some_milliseconds_a_block() -> None:
    """However long the small request takes, each block goes on: nothing starves."""
    pauses = Pauses()
    precedence = Precedence(pauses)
    with somebody_answers(precedence):
        precedence.begin()
        precedence.move(SMALL)
        assert pauses.seconds == [], "up to here it may be a small one itself"
        precedence.move(1)
        assert 0.001 <= sum(pauses.seconds) <= 0.01
        precedence.move(1)
        assert 0.002 <= sum(pauses.seconds) <= 0.02


def test_it_goes_on_as_soon_as_the_small_one_has_been_answered() -> None:
    """The pause is no longer than the work that it is for."""
    with ExitStack() as answering:
        pauses = Pauses(answering.close)
        precedence = Precedence(pauses)
        answering.enter_context(somebody_answers(precedence))
        precedence.give_way()
    assert len(pauses.seconds) == 1


def test_who_waits_is_not_given_way_to() -> None:
    """A small request that waits for Microsoft holds nobody up until it has its answer."""
    precedence = Precedence(Pauses())
    precedence.begin()
    assert precedence.answering == 1
    precedence.rest()
    assert precedence.answering == 0
    precedence.resume()
    assert precedence.answering == 1
    precedence.end()
    precedence.resume()
    assert precedence.answering == 0, "the wait of a thread without a request"


def test_a_large_one_has_no_precedence_any_more() -> None:
    """Neither when its size shows, nor after a wait; the next request of its thread has it again."""
    precedence = Precedence(Pauses())
    precedence.begin()
    precedence.move(SMALL + 1)
    assert precedence.answering == 0
    precedence.resume()
    assert precedence.answering == 0
    precedence.end()
    precedence.begin()
    assert precedence.answering == 1


def test_large_ones_pass_one_after_the_other() -> None:
    """While one block gives way, those behind it wait for it, and not each for itself."""
    inside: list[threading.Thread] = []  # an ident comes again
    precedence = Precedence(Pauses(lambda: inside.append(threading.current_thread())))
    with somebody_answers(precedence):
        threads = [threading.Thread(target=precedence.give_way) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert [len(list(pauses)) for _, pauses in groupby(inside)] == [5] * 8


def test_waits_are_said_by_the_same_words_as_to_the_server() -> None:
    """`about_to_wait` and `waited` are all that a layer has to know."""
    seen: list[int] = []

    def answer() -> None:
        PRECEDENCE.begin()
        seen.append(PRECEDENCE.answering)
        about_to_wait()
        seen.append(PRECEDENCE.answering)
        waited()
        seen.append(PRECEDENCE.answering)
        PRECEDENCE.end()

    in_thread(answer)
    assert seen == [1, 0, 1]
