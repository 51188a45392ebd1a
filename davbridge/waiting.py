"""A thread says that it is about to wait, so that somebody else does what it would have done next.

The server answers quick requests one after the other in one thread (decision 010); what takes long enough to make the
others wait begins with `about_to_wait`. Saying it once too often costs a microsecond; not at all, some milliseconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

_here = threading.local()


def when_waiting(listener: Callable[[], None]) -> None:
    """Have `listener` called, in this thread, each time this thread is about to wait."""
    _here.listener = listener


def about_to_wait() -> None:
    """What follows waits for somebody, or works for more than a few milliseconds."""
    listener: Callable[[], None] | None = getattr(_here, "listener", None)
    if listener is not None:
        listener()
