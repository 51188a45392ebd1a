"""One application after the other behind the same listeners, without a request that notices.

A request belongs to the application that it came to until its last byte is sent, which may take hours; who wants to
close that application waits for `Leaving.ended`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Leaving:
    """An application that gets no new requests any more. `ended` is set when its last one is over."""

    def __init__(self) -> None:
        self.ended = threading.Event()


class _Served:
    """An application, and how many requests it has; guarded by the switch's lock."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.under_way = 0
        self.leaving: Leaving | None = None


class Switch:
    """A WSGI application that is whichever was handed in last."""

    def __init__(self, application: Application) -> None:
        self._lock = threading.Lock()
        self._served = _Served(application)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            served = self._served
            served.under_way += 1
        try:
            return _Body(served.application(environ, start_response), lambda: self._over(served))
        except BaseException:
            self._over(served)
            raise

    def to(self, application: Application) -> Leaving:
        """Give `application` all requests that come from now on."""
        leaving = Leaving()
        with self._lock:
            former, self._served = self._served, _Served(application)
            former.leaving = leaving
            if not former.under_way:
                leaving.ended.set()
        return leaving

    def _over(self, served: _Served) -> None:
        with self._lock:
            served.under_way -= 1
            if served.leaving is not None and not served.under_way:
                served.leaving.ended.set()


class _Body:
    """A body that says once when it is over. Its blocks pass by without a step more than before."""

    def __init__(self, body: Iterable[bytes], over: Callable[[], None]) -> None:
        self._body = body
        self._over: Callable[[], None] | None = over

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._say()

    def __del__(self) -> None:
        # cheroot forgets to close the body when the client has gone before the first byte
        self._say()

    def _say(self) -> None:
        over, self._over = self._over, None
        if over is not None:
            over()
