"""What a thread says of its time: that it is about to wait, and that what it does next is one moment.

The server answers quick requests one after the other in one thread (decision 010); what takes long enough to make the
others wait begins with `about_to_wait`, so that somebody else does what this thread would have done next. One too many
costs a microsecond, one too few some milliseconds.

All requests that have come before they are answered in a row are answered in one *moment*: what was true at its
beginning, after all of them had come, may be told to each of them (they are concurrent with whatever happens since).
A moment ends with the wait, and with a change that this thread makes itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from davbridge.precedence import PRECEDENCE


class _Here(threading.local):
    listener: Callable[[], None] | None = None
    moment: object | None = None


_here = _Here()


def when_waiting(listener: Callable[[], None]) -> None:
    """Have `listener` called, in this thread, each time this thread is about to wait."""
    _here.listener = listener


def about_to_wait() -> None:
    """What follows waits for somebody, or works for more than a few milliseconds."""
    _here.moment = None
    PRECEDENCE.rest()
    if _here.listener is not None:
        _here.listener()


def waited() -> None:
    """The wait is over. Not to say so costs a small request its precedence (`precedence`), until the next time."""
    PRECEDENCE.resume()


def begin_moment() -> None:
    """All that is asked for until the next beginning, or end, has been asked for already."""
    _here.moment = object()


def end_moment() -> None:
    """What was true may not be any more."""
    _here.moment = None


def moment() -> object | None:
    """This thread's moment; None when it has none."""
    return _here.moment
