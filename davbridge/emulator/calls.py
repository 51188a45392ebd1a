"""What was asked of the emulator, so that tests can assert call budgets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Kind = Literal["graph", "upload", "download", "monitor", "socket", "login"]
Operation = Literal[
    "get item",
    "update item",
    "delete item",
    "list children",
    "create folder",
    "get content",
    "put content",
    "create session",
    "commit by url",
    "create link",
    "copy item",
    "restore",
    "checkout",
    "checkin",
    "discard checkout",
    "get drive or site",
    "search",
    "delta",
    "permissions",
    "versions",
    "batch",
    "subscriptions",
    "socket.io",
    "socket",
    "put fragment",
    "get session",
    "delete session",
    "commit session",
    "download",
    "monitor",
    "discovery",
    "token",
    "device code",
    "authorize",
    "identity",
    "unknown",
]
"""The emulator's names for what it is asked; `unknown` where it has none."""


@dataclass(frozen=True)
class Call:
    """One request."""

    kind: Kind
    operation: Operation
    method: str
    path: str
    status: int


@dataclass
class Counted:
    """Calls of one `counting` block by kind."""

    calls: list[Call]

    def _of(self, kind: Kind) -> int:
        return sum(call.kind == kind for call in self.calls)

    @property
    def graph(self) -> int:
        return self._of("graph")

    @property
    def upload(self) -> int:
        """Requests to an upload session's own URL."""
        return self._of("upload")

    @property
    def download(self) -> int:
        return self._of("download")

    @property
    def monitor(self) -> int:
        return self._of("monitor")

    @property
    def login(self) -> int:
        return self._of("login")

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.calls]


class Recorder:
    """All calls so far; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self.leaks: list[str] = []
        """Operations on pre-authenticated URLs that carried a bearer token, which must never happen."""

    def add(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)

    def list(self) -> list[Call]:
        with self._lock:
            return list(self._calls)

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()

    @contextmanager
    def counting(self) -> Iterator[Counted]:
        """Count the calls made inside the block; read the figures after it."""
        start = len(self.list())
        counted = Counted([])
        try:
            yield counted
        finally:
            counted.calls.extend(self.list()[start:])
