"""The bytes of an upload that were read and are not yet acknowledged: one thread reads, another one sends.

They slide through a window: a fragment is sent while it is read, and its parts stay until the service has it, so that
it can be sent again; meanwhile something of the next is read. A fragment's length is told to the service before its
last part is there: so the memory for all of it is taken before it begins, it begins only when the client keeps up, and
a client that stalls in the middle of it costs that try, not the upload (decision 008).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from davbridge.clock import Clock
from davbridge.graph.memory import UNIT, Share
from davbridge.graph.tempo import Line, Tempo
from davbridge.killpoint import killpoint
from davbridge.precedence import PRECEDENCE

AHEAD = 25 * UNIT
"""Near 8 MiB: what is read beyond a fragment, while its answer is on its way."""
_PATIENCE = 10.0
"""Seconds that a begun fragment waits for the client, all its waits together."""


class Stalled(Exception):
    """The client does not go on with a fragment that is half sent: the service has nothing of it (§3.3)."""


class Window:
    """Parts of `UNIT` bytes, the last one of a body of `total` bytes may be shorter, in the memory of `share`.

    The one thread calls `wait_for_room`, `put` and `hold_last`, the other one `begin` and `sent`; when one of them
    fails it tells so by `stop`, and the other one raises it.
    """

    def __init__(self, total: int, share: Share, line: Line, clock: Clock) -> None:
        self._share = share
        self._clock = clock
        self._tempo = Tempo(line, clock)
        self._changed = threading.Condition()
        self._parts: list[bytes] = []
        self._left = total  # bytes that are not acknowledged
        self._held = False  # the last part is there, and is put when it is asked for
        self._asked = False
        self._error: BaseException | None = None
        self._reserve()

    @property
    def has_room(self) -> bool:
        """Whether one more part may be read."""
        return len(self._parts) * UNIT < self._share.taken

    @property
    def may_begin(self) -> bool:
        """Whether the next fragment may: it is there, or the client gives the rest of it soon enough."""
        there = len(self._parts) + self._held
        return self._tempo.may_begin(max(0, self._count() - there) * UNIT)

    def wait_for_room(self) -> None:
        """Raises: what the sender has raised."""
        with self._changed:
            self._wait(lambda: self.has_room)

    def put(self, part: bytes, seconds: float) -> None:
        """The next part, which has taken so long to come."""
        with self._changed:
            self._parts.append(part)
            self._tempo.read(len(part), seconds)
            self._changed.notify_all()

    def hold_last(self) -> None:
        """The last part is there: wait until nothing but it is to be sent.

        Raises: what the sender has raised.
        """
        with self._changed:
            self._held = True
            self._changed.notify_all()
            self._wait(lambda: self._asked)

    def begin(self) -> Fragment:
        """The next fragment, once it may begin.

        Raises: what the reader has raised.
        """
        with self._changed:
            self._wait(lambda: self.may_begin)
            count = self._count()
            return Fragment(self, count, min(count * UNIT, self._left), last=count * UNIT >= self._left)

    def sent(self, fragment: Fragment, seconds: float) -> None:
        """The service has it, after so many seconds."""
        with self._changed:
            del self._parts[: fragment.count]
            self._left -= len(fragment)
            self._tempo.sent(len(fragment), seconds)
            self._reserve()
            self._changed.notify_all()

    def stop(self, error: BaseException) -> None:
        """Nobody wants it any more, because of `error`; the first one counts."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def clear(self) -> None:
        """Let the parts go, when both have ended: an error's traceback would keep them."""
        self._parts.clear()

    def part(self, fragment: Fragment, number: int, patience: float | None = None) -> bytes:
        """A part of the begun fragment, waited for; at most `patience` seconds, if that is given.

        Raises: Stalled. What the reader has raised.
        """
        with self._changed:
            if fragment.last and number == fragment.count - 1 and not self._asked:
                self._asked = True
                self._changed.notify_all()
            self._wait(lambda: len(self._parts) > number, patience)
            return self._parts[number]

    def _wait(self, until: Callable[[], bool], seconds: float | None = None) -> None:
        there = self._changed.wait_for(lambda: self._error is not None or until(), seconds)
        if self._error is not None:
            raise self._error
        if not there:
            raise Stalled

    def _reserve(self) -> None:
        wanted = min(self._tempo.wanted + AHEAD, -(-self._left // UNIT) * UNIT)
        self._share.resize(wanted, len(self._parts) * UNIT)

    def _count(self) -> int:
        """Parts of the next fragment. Some of the room is for what comes after it, unless it is the last."""
        room, left = self._share.taken // UNIT, -(-self._left // UNIT)
        most = left if room >= left else max(1, room - max(1, room // 16))
        return min(self._tempo.wanted // UNIT, most)


class Fragment:
    """Consecutive bytes: `len` of them, in `count` parts. Iterated anew for each try, while they are being read.

    Raises: by the iterator: Stalled; what the reader has raised.
    """

    def __init__(self, window: Window, count: int, length: int, *, last: bool) -> None:
        self._window = window
        self._length = length
        self.count = count
        self.last = last
        self.given = False
        """Whether all its bytes have been on their way once: else the service cannot have it."""

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        clock, patience = self._window._clock, _PATIENCE
        for number in range(self.count):
            begun = clock.monotonic()
            part = self._window.part(self, number, patience)
            patience -= clock.monotonic() - begun
            PRECEDENCE.give_way()
            self.given = self.given or number == self.count - 1
            yield part
            killpoint("part sent")

    def wait(self) -> None:
        """Until all of it has been read, however long that takes.

        Raises: what the reader has raised.
        """
        self._window.part(self, self.count - 1)
