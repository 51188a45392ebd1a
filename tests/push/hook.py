"""The webhook's endpoint as the tests see it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

NAME = "0123456789abcdef0123"


@dataclass
class Hook:
    """`told`: the names that were told; `listeners` are told, too."""

    url: str
    told: list[str] = field(default_factory=list)
    listeners: list[Callable[[], None]] = field(default_factory=list)
    _came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def changed(self, name: str) -> None:
        self.told.append(name)
        for listener in self.listeners:
            listener()
        self._came.release()

    def wait(self) -> None:
        assert self._came.acquire(timeout=2), "no notification came"


def beyond(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """What stands behind the endpoint: a gate that lets nobody in."""
    start_response("401 Unauthorized", [("Content-Length", "0"), ("X-Path", quote(environ["PATH_INFO"]))])
    return [b""]
