"""A body in fragments: read from the client in small parts, one fragment ahead of the one that is being sent.

A fragment is read whole before any of it is sent: a client that breaks off leaves nothing half-sent, and what was sent
can be sent again. Its parts are never joined, so that an upload holds two fragments and not three.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Generic, TypeVar

from davbridge.body import Body
from davbridge.clock import Clock
from davbridge.errors import BodyTruncated
from davbridge.graph.memory import UNIT, Share
from davbridge.graph.quickxor import QuickXor
from davbridge.graph.senders import Senders
from davbridge.killpoint import killpoint

FIRST = 32 * UNIT
"""10 MiB: what an upload begins with, as the service recommends (facts: Graph §3.3)."""
SMALLEST = 16 * UNIT
LARGEST = 160 * UNIT
"""50 MiB; the service takes less than 60 (facts: Graph §3.3)."""
_QUICK, _SLOW = 2.0, 8.0
"""Seconds for a fragment: below, its round trips weigh too much; above, a break costs too much."""

T = TypeVar("T")


class Fragment:
    """Consecutive bytes: `len` of them, in parts. Iterated anew for each try, until `stop` is set.

    Raises: BodyTruncated: by the iterator, once nobody wants the upload any more.
    """

    def __init__(self, parts: Sequence[bytes], stop: threading.Event, *, last: bool) -> None:
        self._parts = parts
        self._length = sum(map(len, parts))
        self._stop = stop
        self.last = last

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            if self._stop.is_set():
                raise BodyTruncated("the upload was given up")
            yield part
            killpoint("part sent")


class FragmentReader:
    """Reads a body. `hash` is that of what was read; `wanted` is the size that the line suggests."""

    def __init__(self, body: Body, share: Share, stop: threading.Event) -> None:
        self._body = body
        self._share = share
        self._stop = stop
        self.hash = QuickXor()
        self.wanted = FIRST

    def next(self, meanwhile: Callable[[], object]) -> tuple[Fragment, int]:
        """The next fragment and the memory that it has, to be given back. `meanwhile` is called after each part.

        Raises:
            BodyTruncated: the client sent less than it announced. What `meanwhile` raises.
        """
        room = self._share.take(min(self.wanted, -(-self._body.remaining // UNIT) * UNIT))
        left = min(room, self._body.remaining)
        parts = []
        while left:
            part = self._body.read(min(left, UNIT))
            self.hash.update(part)
            parts.append(part)
            left -= len(part)
            meanwhile()
        return Fragment(parts, self._stop, last=self._body.remaining == 0), room

    def took(self, seconds: float) -> None:
        """How long the service had to do with the last fragment."""
        if seconds < _QUICK:
            self.wanted = min(self.wanted * 2, LARGEST)
        elif seconds > _SLOW:
            self.wanted = max(self.wanted // 2 // UNIT * UNIT, SMALLEST)


class Beside(Generic[T]):
    """One piece of work at a time in another thread, in our own context (the deadline is in it)."""

    def __init__(self, senders: Senders, clock: Clock) -> None:
        self._senders = senders
        self._clock = clock
        self._future: Future[tuple[T, float]] | None = None

    def start(self, work: Callable[[], T]) -> None:
        """Begin it; the one before must have been fetched."""
        self._future = self._senders.submit(partial(copy_context().run, self._timed, work))

    def check(self) -> None:
        """Raise what it has raised, if it has."""
        if self._future is not None and self._future.done():
            self._future.result()

    def fetch(self) -> tuple[T, float] | None:
        """Wait for it: what it returned or raises, and the seconds that it took; None when there is none."""
        future, self._future = self._future, None
        return None if future is None else future.result()

    def end(self) -> None:
        """Wait for it, whatever comes of it."""
        if self._future is not None:
            self._future.exception()
            self._future = None

    def _timed(self, work: Callable[[], T]) -> tuple[T, float]:
        begun = self._clock.monotonic()
        return work(), self._clock.monotonic() - begun
