"""Threads that send fragments beside the requests' own.

Why not `ThreadPoolExecutor`: the interpreter waits for its threads at the end, and one that hangs at Microsoft would
keep a process that has drained. These end with the process, and after a minute without work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TypeVar

_IDLE_SECONDS = 60.0
T = TypeVar("T")


class Senders:
    """As many threads as there is work at a time; each upload has one piece of it."""

    def __init__(self, idle_seconds: float = _IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._queue: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = threading.Semaphore(0)  # threads that nobody has given work yet

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have it done at once."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

        self._queue.put(run)
        if not self._idle.acquire(blocking=False):
            threading.Thread(target=self._serve, name="sending", daemon=True).start()
        return future

    def _serve(self) -> None:
        while True:
            try:
                run = self._queue.get(timeout=self._idle_seconds)
            except Empty:
                if self._idle.acquire(blocking=False):
                    return
                continue  # somebody has counted on us just now
            run()
            del run  # it holds a fragment
            self._idle.release()
