"""Small requests go first: who moves a large body gives way, a block at a time, to whoever answers a small request.

Why: the threads of a process compute one at a time, and each system call is a reason for another one to go on. Where
thirty move gigabytes, who answers a small request stands behind all of them at each of its fifty calls, and takes a
second for what is ten milliseconds of work. A large transfer that waits for so long loses nothing that anybody feels
(decision 015).

Each thread says of itself what it does. Forgetting to say so costs precedence, and never more: nobody gives way for
longer than some milliseconds a block, so nothing starves, and no two can wait for each other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

SMALL = 2**20
"""Bytes of a body, in or out, up to which a request is a small one."""
_TICK = 0.001
_TICKS = 5
"""How long one block gives way at most. All large transfers of the process together move one block meanwhile, so a
process that answers small requests all the time still moves some 50 MB/s."""


class _Here(threading.local):
    """`moved`: bytes of the bodies of the request that this thread answers; None when there is none."""

    moved: int | None = None


class Precedence:
    """For all threads of a process. `pause` sleeps for so many seconds."""

    def __init__(self, pause: Callable[[float], object] = time.sleep) -> None:
        self._pause = pause
        self._here = _Here()
        # by thread; `add` and `discard` need no lock, and a small request can afford none
        self._answering: set[int] = set()
        self._door = threading.Lock()

    @property
    def answering(self) -> int:
        """Threads that answer a small request at the moment, and do not wait for anybody."""
        return len(self._answering)

    def begin(self) -> None:
        """This thread answers a request from now on, which is a small one until its body shows otherwise."""
        self._here.moved = 0
        self._answering.add(threading.get_ident())

    def end(self) -> None:
        """It has been answered."""
        self._here.moved = None
        self._answering.discard(threading.get_ident())

    def rest(self) -> None:
        """This thread waits for somebody, and nobody need give way to it meanwhile."""
        self._answering.discard(threading.get_ident())

    def resume(self) -> None:
        """It has what it waited for."""
        moved = self._here.moved
        if moved is not None and moved <= SMALL:
            self._answering.add(threading.get_ident())

    def move(self, size: int) -> None:
        """So many bytes of a body are about to be read or written; those of a large one give way."""
        here = self._here
        if here.moved is None:
            return
        here.moved += size
        if here.moved > SMALL:
            self.rest()
            self.give_way()

    def give_way(self) -> None:
        """Let small requests go first, for a moment."""
        if not self._answering:
            return
        with self._door:  # one block after the other: those behind it sleep until it has gone
            for _ in range(_TICKS):
                if not self._answering:
                    break
                self._pause(_TICK)


PRECEDENCE = Precedence()
"""That of this process."""
